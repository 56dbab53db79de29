"""Files that leave a sandbox, and a policy that is one run's alone."""

from tests.mutations.mutation import Mutation, within

_NOTEBOOKS = "sandbox_kernel/notebooks"
ARTIFACTS = f"{_NOTEBOOKS}/artifacts.py"
SHELVES = f"{_NOTEBOOKS}/shelves.py"
SPECS = f"{_NOTEBOOKS}/specs.py"
TRANSFER = f"{_NOTEBOOKS}/transfer.py"


def _artifacts(*tests: str) -> tuple[str, ...]:
    return within("notebooks/test_artifacts.py", *tests)


MUTATIONS = (
    Mutation(
        "artifacts-names-lead-down",
        "A kernel that makes up names does not choose where a file is written.",
        ARTIFACTS,
        '    if any(part in ("", ".", "..") for part in parts):\n',
        "    if False:\n",
        _artifacts("test_names_of_a_lying_kernel", "test_names_that_are_refused[../a]"),
    ),
    Mutation(
        "artifacts-names-are-plain",
        "No name deceives who reads it, or a terminal.",
        ARTIFACTS,
        "any(unicodedata.category(letter) in _STRANGE for letter in name)",
        "False",
        _artifacts("test_what_is_no_plain_file"),
    ),
    Mutation(
        "artifacts-are-whole-in-an-archive",
        "An archive does not hold a part of a file for which there was no room.",
        SHELVES,
        "                self._broken = error\n",
        "",
        _artifacts("test_a_zip_has_no_half_of_a_file"),
    ),
    Mutation(
        "artifacts-are-files",
        "Links, pipes and sockets are not taken for files.",
        ARTIFACTS,
        'elif entry.kind != "file":',
        "elif False:",
        _artifacts("test_what_is_no_plain_file"),
    ),
    Mutation(
        "artifacts-are-no-links",
        "Nor is a file that has become a link since it was listed.",
        ARTIFACTS,
        "limit=None, follow=False)",
        "limit=None, follow=True)",
        _artifacts("test_more_or_less_than_announced"),
    ),
    Mutation(
        "artifacts-are-counted",
        "A run does not fill a folder with files.",
        ARTIFACTS,
        "        if count > MAX_FILES:\n",
        "        if False:\n",
        _artifacts("test_too_many"),
    ),
    Mutation(
        "artifacts-have-a-size",
        "Nor a disk.",
        ARTIFACTS,
        "    if entry.size > room:\n",
        "    if False:\n",
        _artifacts("test_all_together_too_large"),
    ),
    Mutation(
        "artifacts-as-long-as-announced",
        "A file that grows does not do it either.",
        ARTIFACTS,
        "part = piece[:left]",
        "part = piece",
        _artifacts("test_more_or_less_than_announced"),
    ),
    Mutation(
        "artifacts-whole-or-not",
        "Half a file does not pass for one.",
        ARTIFACTS,
        "        if left:\n",
        "        if False:\n",
        _artifacts("test_more_or_less_than_announced"),
    ),
    Mutation(
        "artifacts-not-through-links",
        "A link that a cell leaves in the folder for artifacts is not followed.",
        SHELVES,
        "_FOLDER | os.O_NOFOLLOW, dir_fd=current",
        "_FOLDER, dir_fd=current",
        _artifacts("test_links_in_the_folder_are_not_followed"),
    ),
    Mutation(
        "transfer-listings-have-an-end",
        "A kernel does not answer more than it was asked for.",
        TRANSFER,
        "len(entries) > most - seen",
        "False",
        within("notebooks/test_transfer.py", "test_a_listing_without_an_end"),
    ),
    Mutation(
        "policies-of-kernels-stay",
        "A run does not change the policy that a kernel was installed with.",
        SPECS,
        '        if stanza.get("config"):\n',
        "        if False:\n",
        within("notebooks/test_values.py", "test_policies_that_cannot_be"),
    ),
)

SECTIONS = (("Artifacts, and policies of one run", MUTATIONS),)
