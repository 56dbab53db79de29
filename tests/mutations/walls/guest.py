"""PID 1, which user code must neither reach nor outlive."""

from tests.mutations.mutation import Mutation, within

_GUEST = "sandbox_kernel/guest"
KERNEL = f"{_GUEST}/kernel.py"
LIFE = f"{_GUEST}/life.py"
OUTPUT = f"{_GUEST}/profile/output.py"
CONFIG = f"{_GUEST}/profile/ipython_kernel_config.py"
PROFILE = f"{_GUEST}/profile/interrupts.py"
SERVICE = f"{_GUEST}/service.py"
SUPERVISOR = f"{_GUEST}/supervisor.py"


def _isolation(*tests: str) -> tuple[str, ...]:
    return within("guest/test_isolation.py", *tests)


def _start(*tests: str) -> tuple[str, ...]:
    return within("guest/test_start.py", *tests)


def _answers(*tests: str) -> tuple[str, ...]:
    return within("guest/test_answers.py", *tests)


MUTATIONS = (
    Mutation(
        "guest-not-dumpable",
        "User code can neither open the tunnel through /proc/1/fd, nor read PID 1's memory, nor trace it.",
        LIFE,
        "        _prctl(_PR_SET_DUMPABLE, 0)\n",
        "",
        (
            *_isolation("test_user_code_cannot_get_at_pid_1[open its descriptors]"),
            *_isolation("test_user_code_cannot_get_at_pid_1[read its environment]"),
            *within("adversarial/test_files.py", "test_a_kernel_sees_nothing_of_pid_1"),
        ),
    ),
    Mutation(
        "guest-no-new-privileges",
        "Set-id programs give nobody anything, whatever the engine does.",
        LIFE,
        "        _prctl(_PR_SET_NO_NEW_PRIVS, 1)\n",
        "",
        _isolation("test_no_new_privileges"),
    ),
    Mutation(
        "guest-deaf-to-interrupts",
        "User code does not end PID 1 by a signal.",
        LIFE,
        "        signal.signal(signal.SIGINT, signal.SIG_IGN)\n\n    def prepare",
        "\n    def prepare",
        _isolation("test_user_code_cannot_signal_pid_1"),
    ),
    Mutation(
        "guest-private-descriptors",
        "Neither a stray print in PID 1 nor a child of it touches the tunnel.",
        f"{_GUEST}/descriptors.py",
        "        os.dup2(null, number)\n",
        "        pass\n",
        within("guest/test_descriptors.py", "test_nothing_else_touches_the_tunnel"),
    ),
    Mutation(
        "guest-descriptors-close",
        "No child inherits the tunnel.",
        f"{_GUEST}/descriptors.py",
        "stdout = fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC",
        "stdout = fcntl.fcntl(1, fcntl.F_DUPFD",
        within("guest/test_descriptors.py", "test_nothing_else_touches_the_tunnel"),
    ),
    Mutation(
        "guest-session",
        "A signal to the kernel's group does not reach PID 1.",
        KERNEL,
        "            start_new_session=True,\n",
        "",
        _isolation("test_the_kernel_is_not_pid_1"),
    ),
    Mutation(
        "guest-environment",
        "The kernel gets what was granted, and nothing of PID 1's environment.",
        KERNEL,
        'env={**order.env, "JPY_PARENT_PID": "1"}',
        'env={**os.environ, **order.env, "JPY_PARENT_PID": "1"}',
        _isolation("test_the_environment_is_exactly_what_was_granted"),
    ),
    Mutation(
        "guest-core-files",
        "No core files.",
        KERNEL,
        "most = {resource.RLIMIT_CORE: 0, resource.RLIMIT_NOFILE: order.files}",
        "most = {resource.RLIMIT_NOFILE: order.files}",
        _isolation("test_limits_are_set_for_the_kernel"),
    ),
    Mutation(
        "guest-open-files",
        "Each process has the policy's number of open files.",
        KERNEL,
        "most = {resource.RLIMIT_CORE: 0, resource.RLIMIT_NOFILE: order.files}",
        "most = {resource.RLIMIT_CORE: 0}",
        _isolation("test_limits_are_set_for_the_kernel"),
    ),
    Mutation(
        "guest-processes",
        "The kernel and its children have the policy's number of processes where no group counts them.",
        KERNEL,
        "        most[resource.RLIMIT_NPROC] = order.pids\n",
        "        pass\n",
        _isolation("test_limits_are_set_for_the_kernel"),
    ),
    Mutation(
        "guest-private-key",
        "The key is for the kernel's user alone.",
        KERNEL,
        "os.O_EXCL | os.O_CLOEXEC, 0o600)",
        "os.O_EXCL | os.O_CLOEXEC, 0o644)",
        _start("test_the_connection_file_is_private_and_complete"),
    ),
    Mutation(
        "guest-key-goes-where-it-should",
        "A link that somebody prepared is not followed.",
        KERNEL,
        "os.O_EXCL | os.O_CLOEXEC, 0o600)",
        "os.O_CLOEXEC, 0o600)",
        _start("test_a_connection_file_that_is_there_already_is_not_followed"),
    ),
    Mutation(
        "guest-secrets",
        "A secret is for the kernel's user alone.",
        KERNEL,
        "    os.mkdir(directory, 0o700)\n",
        "    os.mkdir(directory, 0o755)\n",
        _start("test_secrets_are_private_files"),
    ),
    Mutation(
        "guest-secrets-read-only",
        "And read-only.",
        KERNEL,
        "os.O_EXCL | os.O_CLOEXEC, 0o400)",
        "os.O_EXCL | os.O_CLOEXEC, 0o644)",
        _start("test_secrets_are_private_files"),
    ),
    Mutation(
        "guest-dies-last",
        "When memory runs out, PID 1 lives to tell.",
        KERNEL,
        "    prefer_for_oom(process.pid)\n",
        "",
        _isolation("test_the_kernel_dies_of_memory_before_its_guest"),
    ),
    Mutation(
        "guest-end-of-input",
        "A host that goes, however it goes, leaves nothing running.",
        f"{_GUEST}/tunnel.py",
        "        if not count:\n            raise HostGoneError\n",
        "        if not count:\n            return []\n",
        within("guest/test_end.py", "test_the_end_of_input_ends_everything"),
    ),
    Mutation(
        "guest-reaps",
        "Processes that have ended do not use up the limit on processes.",
        LIFE,
        "os.wait3(os.WNOHANG)",
        "os.wait4(self._kernel.pid if self._kernel else -1, os.WNOHANG)",
        within("guest/test_end.py", "test_orphans_are_reaped"),
    ),
    Mutation(
        "guest-bounded-backlog",
        "A host that does not read makes PID 1 hold so much and no more.",
        SERVICE,
        "if channel in _BULKY and outbox.pending() >= BACKLOG_BYTES:",
        "if False:",
        within("guest/test_service.py", "test_the_outbox_is_bounded_and_control_passes_nevertheless"),
    ),
    Mutation(
        "guest-too-many-parts",
        "A message of millions of parts is only announced.",
        f"{_GUEST}/tunnel.py",
        "if len(parts) > MAX_PARTS:",
        "if False:",
        within("guest/test_relay.py", "test_too_many_parts_are_only_announced"),
    ),
    Mutation(
        "guest-log-budget",
        "What the kernel's own log floods the tunnel with is dropped and counted.",
        f"{_GUEST}/log.py",
        "if len(data) > self._budget:",
        "if False:",
        within("guest/test_log.py", "test_a_flood_is_dropped_and_counted"),
    ),
    Mutation(
        "guest-version",
        "Neither side guesses what the other means.",
        SUPERVISOR,
        "    if order.version != WIRE_VERSION:\n",
        "    if False:\n",
        _start("test_another_version_is_refused"),
    ),
    Mutation(
        "guest-orders-from-the-supervisor",
        "Only the host's orders are orders.",
        SUPERVISOR,
        "if not isinstance(event, Message) or event.channel is not Channel.SUPERVISOR:",
        "if not isinstance(event, Message):",
        _start("test_a_request_is_no_order[an order on the wrong channel]"),
    ),
    Mutation(
        "guest-one-kernel",
        "One guest, one kernel.",
        SERVICE,
        "            if not isinstance(order, Signal):\n",
        "            if False:\n",
        _start("test_a_second_start_is_refused"),
    ),
    Mutation(
        "guest-nobody-publishes-for-the-kernel",
        "The host does not speak in the kernel's name.",
        SERVICE,
        "        elif event.channel is Channel.IOPUB:\n            raise",
        "        elif False:\n            raise",
        _start("test_nonsense_to_a_running_kernel_is_refused"),
    ),
    Mutation(
        "guest-endless-frame",
        "What listens in the kernel's place makes PID 1 hold no endless frame.",
        f"{_GUEST}/zmtp.py",
        "not self.ready or length > MAX_FRAME",
        "not self.ready",
        within("guest/test_zmtp.py", "test_what_is_no_message_is_refused[1-an endless frame]"),
    ),
    Mutation(
        "guest-stranger",
        "Nor is it taken for a kernel if it speaks another protocol.",
        f"{_GUEST}/line.py",
        "        except NoMessageError:  # it is not the kernel that listens there\n            count = 0\n",
        "        except NoMessageError:\n            pass\n",
        within("guest/test_line.py", "test_who_does_not_speak_zmtp_is_left"),
    ),
    Mutation(
        "guest-half-a-message",
        "A connection does not begin with the end of a message that another has begun.",
        f"{_GUEST}/line.py",
        "        if self._line.lost == self._lost:\n",
        "        if True:\n",
        within("guest/test_line.py", "test_what_was_begun_on_one_connection_is_not_for_the_next"),
    ),
)

_WHEREVER = "test_a_cell_is_answered_wherever_an_interrupt_strikes"

ANSWERS = (
    Mutation(
        "answers-output",
        "A cell waits for who reads its output, and who subscribes late hears that the kernel has begun.",
        CONFIG,
        'load_subconfig("output.py")  # type',
        "# type",
        within("guest/test_profile.py", "test_who_subscribes_late_hears_that_the_kernel_has_begun"),
    ),
    Mutation(
        "answers-interrupts",
        "A cell is answered, wherever in ipykernel's own code an interrupt strikes.",
        CONFIG,
        'load_subconfig("interrupts.py")  # type',
        "# type",
        _answers(f"{_WHEREVER}[a cell]", f"{_WHEREVER}[expressions]"),
    ),
    Mutation(
        "answers-held-before",
        "What was interrupted before its first line does not run.",
        PROFILE,
        "                if _HELD:\n                    raise KeyboardInterrupt\n",
        "",
        _answers("test_an_interrupt_is_not_lost[before all-a cell]"),
    ),
    Mutation(
        "answers-held-after",
        "An interrupt that came after a cell's last line ends a run all the same.",
        PROFILE,
        'if _HELD and is_main_thread() and reply.get("status") == "ok":',
        "if False:",
        _answers("test_an_interrupt_is_not_lost[after its end-a cell]"),
    ),
    Mutation(
        "answers-failure",
        "A cell is answered when the kernel fails to execute it.",
        PROFILE,
        "        except Exception as error:\n",
        "        except ZeroDivisionError as error:\n",
        _answers("test_a_cell_that_breaks_its_kernel_s_machinery_is_answered[RuntimeError]"),
    ),
    Mutation(
        "answers-cancelled",
        "And when the task that was to execute it is cancelled.",
        PROFILE,
        "        except (KeyboardInterrupt, asyncio.CancelledError):",
        "        except KeyboardInterrupt:",
        _answers("test_an_interrupt_is_not_lost[before its start-asynchronous]"),
    ),
    Mutation(
        "answers-first-step",
        "An asynchronous cell that was interrupted before its first step does not take it.",
        PROFILE,
        "                future.cancel()\n",
        "                pass\n",
        _answers("test_an_interrupt_is_not_lost[before its start-asynchronous]"),
    ),
    Mutation(
        "answers-others",
        "Half a reply to another request does not take the next cell's with it.",
        PROFILE,
        '        if self.get_parent("shell")["header"]["msg_type"] not in self.msg_types:',
        "        if True:",
        _answers("test_other_requests_are_answered_too[kernel_info_request]"),
    ),
    Mutation(
        "answers-inspection",
        "An interrupted inspection is answered.",
        PROFILE,
        '            return {"status": "error", "ename": "KeyboardInterrupt",',
        '            raise\n            return {"status": "error", "ename": "KeyboardInterrupt",',
        _answers("test_other_requests_are_answered_too[inspect_request]"),
    ),
    Mutation(
        "answers-comms",
        "An interrupt on the border of a comm's handler does not end the kernel.",
        PROFILE,
        "        except KeyboardInterrupt:  # just before a comm's handler",
        "        except ZeroDivisionError:  # just before a comm's handler",
        _answers("test_a_comm_s_message_leaves_the_kernel_idle"),
    ),
    Mutation(
        "answers-publisher",
        "An interrupt does not have two threads use the publisher's socket, which stalls or ends the kernel.",
        OUTPUT,
        "            outlive_interrupts(self.pub_thread.thread)\n",
        "",
        within("guest/test_profile.py", "test_an_interrupt_leaves_a_stream_as_it_was"),
    ),
    Mutation(
        "answers-in-time",
        "Nor have what is printed later wait for the cell's end.",
        OUTPUT,
        "            self._flush_pending = False\n            raise\n",
        "            raise\n",
        within("guest/test_profile.py", "test_an_interrupt_leaves_a_stream_as_it_was"),
    ),
    Mutation(
        "answers-one-cell",
        "An interrupt that meets the end of a cell does not strike the next.",
        PROFILE,
        "        _HELD.clear()\n",
        "",
        _answers(f"{_WHEREVER}[a cell]"),
    ),
    Mutation(
        "answers-half-a-value",
        "Nor does what it leaves of an interrupted value have a later cell fail.",
        PROFILE,
        "            forget_result(shell)\n",
        "            pass\n",
        _answers("test_an_interrupted_value_is_not_held_against_the_next_cell"),
    ),
    Mutation(
        "answers-forks",
        "An interrupt that meets the start of a command is not lost.",
        PROFILE,
        "\nhold_while_forking()\n",
        "\n",
        _answers("test_an_interrupted_fork"),
    ),
    Mutation(
        "answers-awake",
        "A cell that awaits something is interrupted while it does.",
        PROFILE,
        "                loop.call_soon_threadsafe(int)  # anything\n",
        "",
        _answers("test_an_interrupted_wait"),
    ),
)

SECTIONS = (("The guest, PID 1", MUTATIONS), ("The kernel's answers", ANSWERS))
