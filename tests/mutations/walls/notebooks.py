"""Running notebooks: where results go, and what of a hostile kernel reaches files and terminals."""

from tests.mutations.mutation import Mutation, within

_NOTEBOOKS = "sandbox_kernel/notebooks"
CELLS = f"{_NOTEBOOKS}/cells.py"
CLIENT = f"{_NOTEBOOKS}/client.py"
DESTINATION = f"{_NOTEBOOKS}/destination.py"
FILES = f"{_NOTEBOOKS}/files.py"
KERNELS = "sandbox_kernel/cli/kernels.py"
ESCAPE = "sandbox_kernel/cli/escape.py"
OUTPUTS = f"{_NOTEBOOKS}/outputs.py"


def _destination(*tests: str) -> tuple[str, ...]:
    return within("notebooks/test_destination.py", *tests)


def _escape(*tests: str) -> tuple[str, ...]:
    return within("cli/test_escape.py", *tests)


def _strangers(*tests: str) -> tuple[str, ...]:
    return within("adversarial/test_control_path.py", *tests)


MUTATIONS = (
    Mutation(
        "notebook-swells",
        "A notebook of a few megabytes does not take all memory when it is read.",
        FILES,
        "    if _swells(text):\n",
        "    if False:\n",
        within("notebooks/test_files.py", "test_few_bytes_that_become_gigabytes"),
    ),
    Mutation(
        "notebook-replaces-data",
        "A file that is no notebook is not replaced by one.",
        f"{_NOTEBOOKS}/run.py",
        "                self._target.refuse_other_content()\n",
        "                pass\n",
        within("notebooks/test_run.py", "test_data_is_not_replaced"),
    ),
    Mutation(
        "notebook-interrupt-first",
        "A cell at its deadline is interrupted before it is killed.",
        CELLS,
        "            await self._client.interrupt()\n            await asyncio.wait",
        "            await asyncio.wait",
        within("notebooks/test_run.py", "test_cell_that_swallows_interrupts", "test_cell_deadline"),
    ),
    Mutation(
        "notebook-interrupt-swallowed",
        "A cell that will not be interrupted does not run for ever.",
        CELLS,
        "await asyncio.wait({task}, timeout=INTERRUPT_SECONDS)",
        "await asyncio.wait({task})",
        within("notebooks/test_run.py", "test_cell_that_swallows_interrupts"),
    ),
    Mutation(
        "notebook-endless-size",
        "A size of four thousand digits does not end a run that collects artifacts.",
        f"{_NOTEBOOKS}/transfer.py",
        "int(size)] if 0 <= size <= MAX_SIZE:",
        "int(size)] if 0 <= size:",
        within("notebooks/test_transfer.py", "test_a_listing_that_is_none[endless]"),
    ),
    Mutation(
        "notebook-places",
        "An update of what was shown ten thousand times does not keep all runs waiting.",
        CLIENT,
        "            if over > 0:\n",
        "            if False:\n",
        within("notebooks/test_client.py", "test_an_update_changes_so_many_outputs[CellClient-100]"),
    ),
    Mutation(
        "notebook-tall-heading",
        "A heading of a notebook of old is no terabyte of text.",
        FILES,
        "            if isinstance(level, int) and level > MAX_LEVEL:\n",
        "            if False:\n",
        within("notebooks/test_files.py", "test_not_a_notebook[tall]"),
    ),
    Mutation(
        "notebooks-have-an-end",
        "A notebook that comes from a device without end is not read without end.",
        FILES,
        "if len(content) > MAX_NOTEBOOK:",
        "if False:",
        _strangers("test_a_notebook_may_be_a_link_to_a_device_without_end"),
    ),
    Mutation(
        "runs-outlast-their-terminal",
        "A run that was started under nohup goes on when its terminal goes away.",
        "sandbox_kernel/cli/signals.py",
        "*(() if outlasts else (signal.SIGHUP,))",
        "signal.SIGHUP",
        within("cli/test_ends.py", "test_a_terminal_that_is_to_be_outlasted"),
    ),
    Mutation(
        "runs-outlast-their-log",
        "A disk that is full of what a run shows does not end the run.",
        "sandbox_kernel/cli/streams.py",
        "            except OSError:\n                self._give_up(file)\n        return len(text)",
        "            except BrokenPipeError:\n                self._give_up(file)\n        return len(text)",
        within("cli/test_streams.py", "test_who_does_not_listen"),
    ),
    Mutation(
        "notebooks-are-files",
        "A notebook that is a link to a device or a pipe is not opened at all.",
        FILES,
        "        if not stat.S_ISREG(mode):\n",
        "        if False:\n",
        _strangers("test_a_notebook_may_be_a_link_to_a_device_without_end"),
    ),
    Mutation(
        "notebooks-have-whole-characters",
        "Code that no message can hold is refused before anything is started.",
        FILES,
        "        _require_whole_characters(nb)\n",
        "",
        _strangers("test_a_notebook_that_is_none_is_refused[has half a character]"),
    ),
    Mutation(
        "kernelspecs-have-settings",
        "A policy that is no object of settings is not taken for none at all.",
        KERNELS,
        "if not isinstance(self.config, Mapping):",
        "if not isinstance(self.config, Mapping):\n            return None\n        if False:",
        _strangers("test_a_kernelspec_that_is_none_is_refused[has a list for settings]"),
    ),
    Mutation(
        "kernels-names-in-logs",
        "Nobody adds a line to a log by what a kernel is called.",
        "provisioner/sandbox_provisioner/provisioner.py",
        'self.log.info("Kernel %s: %s", capped(printable(self.kernel_id)),',
        'self.log.info("Kernel %s: %s", printable(self.kernel_id),',
        _strangers("test_a_kernel_s_name_adds_nothing_to_a_log"),
    ),
    Mutation(
        "results-not-through-links",
        "A link that a cell puts at the result's name is replaced, not followed.",
        DESTINATION,
        "            os.replace(temporary, self._name, src_dir_fd=self._held, dst_dir_fd=self._held)\n",
        "            path = self.path.parent / self._name\n            path.write_bytes(data)\n"
        "            os.unlink(temporary, dir_fd=self._held)\n",
        _destination("test_what_is_planted_during_the_run_is_replaced[True-link]"),
    ),
    Mutation(
        "results-in-the-directory-that-was-meant",
        "A directory that becomes a link during the run does not lead the result elsewhere.",
        DESTINATION,
        "src_dir_fd=self._held, dst_dir_fd=self._held)",
        "src_dir_fd=self._held, dst_dir_fd=os.open(self.path.parent, os.O_RDONLY))",
        _destination("test_a_directory_that_becomes_a_link"),
    ),
    Mutation(
        "results-at-names-of-ours",
        "A name that the user did not give is not followed, whatever lies there.",
        DESTINATION,
        "return self.path.stat(follow_symlinks=self._given).st_mode",
        "return self.path.stat().st_mode",
        _destination("test_what_was_planted_at_a_name_of_ours[link to a directory]"),
    ),
    Mutation(
        "results-in-pipes-of-ours",
        "Nor is a pipe at such a name written to.",
        DESTINATION,
        "if self._given and found is not None and not stat.S_ISREG(found):",
        "if found is not None and not stat.S_ISREG(found):",
        _destination("test_what_was_planted_at_a_name_of_ours"),
    ),
    Mutation(
        "results-in-the-pipe-that-was-there",
        "A pipe that is swapped for something else is not what is written to.",
        DESTINATION,
        'return f"/proc/self/fd/{self._held}"',
        "return str(self.path)",
        _destination("test_a_pipe_that_is_swapped"),
    ),
    Mutation(
        "results-whole-or-not",
        "When writing fails, the old file is there and nothing else.",
        DESTINATION,
        "                os.unlink(temporary, dir_fd=self._held)\n            raise\n",
        "                pass\n            raise\n",
        _destination("test_failed_write_leaves_the_old_file"),
    ),
    Mutation(
        "results-permissions",
        "A cell does not change who may read the result.",
        DESTINATION,
        "                os.fchmod(descriptor, self._mode)\n",
        "                os.fchmod(descriptor, self._mode_there())\n",
        _destination("test_permissions_are_those_of_before"),
    ),
    Mutation(
        "results-depth",
        "An output that would break the saving does not lose the notebook.",
        OUTPUTS,
        "    if _deeper_than(value, MAX_DEPTH):\n",
        "    if False:\n",
        within("notebooks/test_outputs.py", "test_what_cannot_be_saved_is_replaced"),
    ),
    Mutation(
        "client-malformed-messages",
        "A malformed message does not break a run.",
        f"{_NOTEBOOKS}/messages.py",
        "    except (*MALFORMED, Empty):\n",
        "    except Empty:\n",
        within("notebooks/test_client.py", "test_malformed_messages_are_skipped"),
    ),
    Mutation(
        "terminal-control-characters",
        "No control character of a kernel's reaches the terminal.",
        ESCAPE,
        "return _HARMFUL.sub(_name, text)",
        "return text",
        _escape("test_no_control_character_passes", "test_safe_line"),
    ),
    Mutation(
        "terminal-hidden-text",
        "No text is concealed.",
        ESCAPE,
        "        if number in _TRAPS:\n",
        "        if False:\n",
        _escape("test_safe_line"),
    ),
    Mutation(
        "terminal-endless-lines",
        "A line that never ends does not fill our memory.",
        ESCAPE,
        "        while len(rest) > MAX_LINE:\n",
        "        while False:\n",
        _escape("test_endless_line"),
    ),
)

SECTIONS = (("Results and terminals", MUTATIONS),)
