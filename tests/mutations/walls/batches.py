"""Many notebooks: what one run's cells and a stranger's folder do to other runs, files and reports."""

from tests.mutations.mutation import Mutation, within

_BATCHES = "sandbox_kernel/batches"
DESTINATION = "sandbox_kernel/notebooks/destination.py"
FIGURES = f"{_BATCHES}/figures.py"
MANIFEST = f"{_BATCHES}/manifest.py"
WORDS = f"{_BATCHES}/reports/words.py"


def _plan(*tests: str) -> tuple[str, ...]:
    return within("batches/test_plan.py", *tests)


def _reports(*tests: str) -> tuple[str, ...]:
    return within("batches/test_reports.py", *tests)


MUTATIONS = (
    Mutation(
        "batches-read-what-was-planned",
        "A notebook whose place a cell has given to a link, since the batch began, is not read.",
        f"{_BATCHES}/sources.py",
        ".readlink() != job.real:",
        ".readlink() is None:",
        (
            *within("batches/test_resume.py", "test_a_notebook_that_has_become_a_link"),
            *within("cli/test_batch.py", "test_cells_that_plant_links"),
        ),
    ),
    Mutation(
        "batches-save-where-it-was-planned",
        "A result's folder that a cell has given to a link, since the batch began, takes no result.",
        DESTINATION,
        "        if self._settled:\n",
        "        if False:\n",
        (
            *within("notebooks/test_destination.py", "test_folders_that_were_settled_before"),
            *within("cli/test_batch.py", "test_cells_that_plant_links"),
        ),
    ),
    Mutation(
        "batches-make-their-folders",
        "A link that an earlier batch's cell has left in the folder of results is no folder of ours.",
        f"{_BATCHES}/folders.py",
        " | os.O_DIRECTORY | os.O_NOFOLLOW",
        " | os.O_DIRECTORY",
        (
            *_plan("test_folders_are_made_and_not_followed"),
            *within("batches/test_artifacts.py", "test_links_are_not_followed"),
        ),
    ),
    Mutation(
        "batches-follow-no-links",
        "A link in a folder is not run: who made the folder decides where it leads.",
        f"{_BATCHES}/search.py",
        "path.lstat().st_mode",
        "path.stat().st_mode",
        within("batches/test_search.py", "test_what_is_no_file"),
    ),
    Mutation(
        "batch-deep-folders",
        "A stranger's folder may be as deep as it likes: others are found all the same.",
        "sandbox_kernel/notebooks/walk.py",
        "            if error.errno == ENAMETOOLONG:\n",
        "            if False:\n",
        within("notebooks/test_walk.py", "test_a_deep_folder_hides_no_others_notebook"),
    ),
    Mutation(
        "batches-say-a-screenful",
        "A folder with a million links has no more said of it than somebody reads.",
        f"{_BATCHES}/remarks.py",
        "if len(self._kept) < MAX_REMARKS:",
        "if True:",
        within("batches/test_search.py", "test_folders_of_strangers_are_bounded"),
    ),
    Mutation(
        "batches-find-no-more-than-run",
        "A folder with a million notebooks is refused before it is held.",
        f"{_BATCHES}/search.py",
        "if len(found) > MAX_JOBS:",
        "if False:",
        within("batches/test_search.py", "test_folders_of_strangers_are_bounded"),
    ),
    Mutation(
        "batches-believe-no-links",
        "What --resume takes for a result is no link that a cell has left there.",
        f"{_BATCHES}/resume.py",
        "if not stat.S_ISREG(job.output.lstat().st_mode) or ",
        "if ",
        within("batches/test_resume.py", "test_changed[plant_link]"),
    ),
    Mutation(
        "batches-believe-no-folders",
        "What --resume takes for a result is in the folder that was planned.",
        f"{_BATCHES}/resume.py",
        " or job.output.parent.resolve() != job.output.parent:",
        ":",
        within("batches/test_resume.py", "test_changed[plant_folder]"),
    ),
    Mutation(
        "batches-say-what-is-believed",
        "Who resumes where cells may leave results for one another is told so.",
        f"{_BATCHES}/resume.py",
        "if not writable.isdisjoint((place, *place.parents))",
        "if place in writable",
        within("batches/test_resume.py", "test_results_that_code_could_write"),
    ),
    Mutation(
        "batches-remove-after-no-code",
        "Where cells ran, and may have left links, no folder is taken away.",
        f"{_BATCHES}/folders.py",
        "        if not has_run():\n",
        "        if True:\n",
        _plan("test_folders_go_again_where_nothing_ran"),
    ),
    Mutation(
        "batches-places-stay-below",
        "No parameter and no manifest has a result saved outside the folder of results.",
        f"{_BATCHES}/planning.py",
        'if place.is_absolute() or ".." in place.parts:',
        "if False:",
        _plan("test_refusals"),
    ),
    Mutation(
        "batches-names-are-harmless",
        "Nothing that a terminal obeys gets into the name of a result.",
        f"{_BATCHES}/naming.py",
        'character if character.isprintable() else "_"',
        "character",
        (
            *_plan("test_names_of_strangers"),
            *within("batches/test_search.py", "test_names_of_any_kind"),
        ),
    ),
    Mutation(
        "batches-names-differ",
        "Runs with different parameters have different names, also where those say the same.",
        f"{_BATCHES}/naming.py",
        "    if whole:\n",
        "    if True:\n",
        _plan("test_labels_that_differ"),
    ),
    Mutation(
        "batches-replace-nothing",
        "Two runs never have one place, nor does a result replace a notebook that is run.",
        f"{_BATCHES}/planning.py",
        "    refuse_duplicates(jobs)\n",
        "",
        _plan("test_one_place_for_two"),
    ),
    Mutation(
        "batches-manifests-are-plain",
        "A manifest makes no object, and calls no program.",
        "sandbox_kernel/notebooks/parameters/reading.py",
        "class PlainLoader(yaml.SafeLoader):",
        "class PlainLoader(yaml.UnsafeLoader):",
        within("batches/test_manifest.py", "test_yaml_refusals[tags]"),
    ),
    Mutation(
        "batches-manifests-have-an-end",
        "A few lines that stand for more values than any machine holds are refused.",
        f"{_BATCHES}/refusals.py",
        "if count > MAX_VALUES:",
        "if count > 10**9:",
        within("batches/test_manifest.py", "test_yaml_refusals[laughs]"),
    ),
    Mutation(
        "batches-retry-no-code",
        "What a notebook did is never done a second time.",
        f"{_BATCHES}/retries.py",
        "if attempt > self.times or not says_nothing(record):",
        "if attempt > self.times or record.good:",
        within("batches/test_batch.py", "test_retries"),
    ),
    Mutation(
        "batches-engines-come-back",
        "A daemon that is restarted in mid-batch costs a pause, not the batch.",
        f"{_BATCHES}/batch.py",
        "if isinstance(refusal, EngineUnavailableError) and self._has_served:",
        "if False:",
        within("batches/test_batch.py", "test_an_engine_that_goes_away"),
    ),
    Mutation(
        "batches-run-so-many",
        "No more notebooks run at once than were asked for.",
        f"{_BATCHES}/batch.py",
        "min(self._rules.at_once, len(self._queue))",
        "len(self._queue)",
        within("batches/test_batch.py", "test_at_once"),
    ),
    Mutation(
        "figures-are-pictures",
        "What is no still PNG by its structure does not get into a page.",
        FIGURES,
        "if not {kind for kind, _ in parts} <= _PARTS or",
        "if",
        within("batches/test_figures.py", "test_what_is_none[animation]"),
    ),
    Mutation(
        "figures-are-whole",
        "A part whose checksum is wrong is none.",
        FIGURES,
        'if png[end : end + 4] != struct.pack(">I", zlib.crc32(kind + content)):',
        "if False:",
        within("batches/test_figures.py", "test_what_is_none[changed]"),
    ),
    Mutation(
        "figures-have-few-pixels",
        "A small file that claims to be a picture of gigabytes is not shown.",
        FIGURES,
        " and width * height <= MAX_PIXELS",
        "",
        within("batches/test_figures.py", "test_what_is_none[pixels]"),
    ),
    Mutation(
        "figures-have-room",
        "A page holds so many bytes of figures and no more.",
        FIGURES,
        " or len(figure.png) > self._room",
        "",
        within("batches/test_figures.py", "test_an_album_is_bounded"),
    ),
    Mutation(
        "pages-escape-texts",
        "Nothing that a notebook or its author wrote becomes markup of a page.",
        f"{_BATCHES}/reports/page.py",
        "    return html.escape(one_line(text))\n",
        "    return one_line(text)\n",
        _reports("test_page_of_anything"),
    ),
    Mutation(
        "pages-may-do-nothing",
        "A page forbids itself scripts, the network, and styles that are not ours.",
        f"{_BATCHES}/reports/page.py",
        "f\"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; ",
        "f\"img-src data:; style-src 'unsafe-inline'; ",
        _reports("test_page_may_do_nothing"),
    ),
    Mutation(
        "pages-link-to-files",
        "No file's name passes for the address of a script, or of another machine.",
        WORDS,
        'os.fsencode("./" + os.path.relpath(target, page.parent)), safe="/")',
        'os.fsencode(target.name), safe="/:()")',
        _reports("test_page_of_anything"),
    ),
    Mutation(
        "reports-are-xml",
        "A report for CI is well formed, whatever characters names and sentences hold.",
        f"{_BATCHES}/reports/junit.py",
        "    return for_xml(one_line(readable(text)))\n",
        "    return text\n",
        _reports("test_junit_of_anything"),
    ),
    Mutation(
        "batches-hold-no-list-many-times",
        "What references make of a few lines of a manifest is never held as a whole.",
        f"{_BATCHES}/refusals.py",
        "list(islice(below, MAX_VALUES))",
        "list(below)",
        within("batches/test_manifest.py", "test_a_list_that_is_there_many_times"),
    ),
    Mutation(
        "batches-have-an-end",
        "A manifest asks for so many runs at most.",
        MANIFEST,
        "if len(entries) > MAX_JOBS:",
        "if False:",
        within("batches/test_manifest.py", "test_yaml_refusals[grids]"),
    ),
    Mutation(
        "batches-have-an-end-in-memory",
        "The parameters of all runs together have an end.",
        MANIFEST,
        "if room < 0:",
        "if False:",
        within("batches/test_manifest.py", "test_yaml_refusals[texts]"),
    ),
    Mutation(
        "batches-know-their-folder",
        "A result of a run in another folder is not taken for this one's.",
        f"{_BATCHES}/fingerprint.py",
        "os.fsencode(job.directory)",
        'b""',
        within("batches/test_resume.py", "test_another_folder"),
    ),
    Mutation(
        "tools-refuse-other-arguments",
        "A model's misspelt argument, such as a deadline, is refused.",
        "sandbox_kernel/mcp/server.py",
        'model.model_config["extra"] = "forbid"',
        'model.model_config["extra"] = "ignore"',
        within("mcp/test_server.py", "test_an_argument_that_there_is_none"),
    ),
)

SECTIONS = (("Many notebooks: places, names, figures, reports", MUTATIONS),)
