"""The guard's rules for messages: everything that leaves a sandbox is hostile."""

from tests.mutations.mutation import Mutation, within

_HOST = "sandbox_kernel/host"
ADMISSION = f"{_HOST}/admission.py"
BUDGET = f"{_HOST}/budget.py"
ENDINGS = f"{_HOST}/endings.py"
GUARD = f"{_HOST}/guard.py"
HEARTBEAT = f"{_HOST}/heartbeat.py"
HYGIENE = f"{_HOST}/hygiene.py"
JUPYTER = f"{_HOST}/jupyter.py"
LEDGER = f"{_HOST}/ledger.py"
PARTS = f"{_HOST}/parts.py"
PUBLICATION = f"{_HOST}/publication.py"
READING = f"{_HOST}/reading.py"


def _guard(*tests: str) -> tuple[str, ...]:
    return within("host/test_guard.py", *tests)


def _admission(*tests: str) -> tuple[str, ...]:
    return within("host/test_admission.py", *tests)


def _accounts(*tests: str) -> tuple[str, ...]:
    return within("host/test_accounts.py", *tests)


def _belonging(*tests: str) -> tuple[str, ...]:
    return within("host/test_belonging.py", *tests)


def _parts(*tests: str) -> tuple[str, ...]:
    return within("host/test_parts.py", *tests)


def _hygiene(*tests: str) -> tuple[str, ...]:
    return within("host/test_hygiene.py", *tests)


RULES = (
    Mutation(
        "guard-signature-of-clients",
        "Without the outer key nothing enters a sandbox.",
        ADMISSION,
        "        self._outer.check(raw)\n",
        "",
        _guard("test_a_request_with_a_wrong_signature_goes_nowhere"),
    ),
    Mutation(
        "guard-signature-of-the-kernel",
        "A kernel has no key: what is signed is no message of its.",
        READING,
        "        if raw.signature:  #",
        "        if False:  #",
        _guard("test_a_signed_message_is_none_of_our_kernels"),
    ),
    Mutation(
        "guard-signature-is-compared",
        "A signature is right or wrong.",
        JUPYTER,
        "if not hmac.compare_digest(self.sign(message), message.signature):",
        "if False:",
        _guard("test_a_request_with_a_wrong_signature_goes_nowhere"),
    ),
    Mutation(
        "guard-outer-key-stays-outside",
        "User code never sees a signature of the key that clients use.",
        GUARD,
        "yield ToGuest(channel, raw.parts())",
        "yield ToGuest(channel, raw.parts(raw.signature))",
        _guard("test_a_request_crosses_without_its_signature"),
    ),
    Mutation(
        "guard-code-size",
        "Code that is longer than the policy allows does not enter.",
        ADMISSION,
        "if len(raw.content) > self._policy.code:",
        "if False:",
        _guard("test_code_over_the_limit_is_refused_outside"),
    ),
    Mutation(
        "guard-asked-types",
        "A client asks what a kernel can answer, where it can.",
        ADMISSION,
        "if msg_type not in ASKED[channel]:",
        "if False:",
        _admission("test_types_have_their_channels"),
    ),
    Mutation(
        "guard-asked-twice",
        "A cell is not asked for a second time while it waits.",
        ADMISSION,
        'if msg_type == "execute_request" and self._ledger.is_open_cell(msg_id):',
        "if False:",
        _admission("test_a_cell_is_let_in_once"),
    ),
    Mutation(
        "guard-answers-to-questions",
        "What nobody has asked for is not typed into the next input().",
        ADMISSION,
        "        if asking is None:\n            raise",
        "        if False:\n            raise",
        _admission("test_answers_need_questions"),
    ),
    Mutation(
        "guard-answers-are-counted",
        "One question, one answer.",
        ADMISSION,
        "        asking.questions -= 1\n",
        "",
        _admission("test_answers_need_questions"),
    ),
    Mutation(
        "guard-too-many-cells",
        "Cells do not wait without end.",
        ADMISSION,
        "if self._ledger.full:",
        "if False:",
        _guard("test_the_ledger_holds_so_many"),
    ),
    Mutation(
        "guard-cells-without-code",
        "A client with a bug does not wait for an answer that cannot come.",
        ADMISSION,
        'if not isinstance(content.get("code"), str):',
        "if False:",
        _admission("test_a_cell_without_code_is_answered"),
    ),
    Mutation(
        "guard-published-types",
        "A kernel publishes what the protocol knows.",
        PUBLICATION,
        "if read.msg_type not in PUBLISHED:",
        "if False:",
        _guard("test_kernels_publish_only_what_the_protocol_knows"),
    ),
    Mutation(
        "guard-farewells",
        "A kernel does not say that it was shut down when nobody asked for it.",
        PUBLICATION,
        'if read.msg_type == "shutdown_reply" and not farewell:',
        "if False:",
        _admission("test_nobody_says_farewell_unasked"),
    ),
    Mutation(
        "guard-replies-answer",
        "A reply answers a request that a client has made, once.",
        GUARD,
        '        if request is None:\n            raise MalformedMessageError("a reply',
        '        request = request or Request("", "", channel, read.raw.identities, EMPTY)\n'
        '        if False:\n            raise MalformedMessageError("a reply',
        _guard("test_a_reply_needs_a_request"),
    ),
    Mutation(
        "guard-replies-of-their-type",
        "A reply is of the type that was asked for.",
        LEDGER,
        'return request if request.msg_type.removesuffix("request") + "reply" == msg_type else None',
        "return request",
        _belonging("test_a_reply_of_another_type_is_none"),
    ),
    Mutation(
        "guard-replies-on-their-channel",
        "And comes where it was asked.",
        LEDGER,
        "if request is None or request.channel is not channel or request.answered is not None:",
        "if request is None or request.answered is not None:",
        _guard("test_a_reply_needs_a_request"),
    ),
    Mutation(
        "guard-replies-once",
        "And comes once.",
        LEDGER,
        "if request is None or request.channel is not channel or request.answered is not None:",
        "if request is None or request.channel is not channel:",
        _guard("test_a_reply_needs_a_request"),
    ),
    Mutation(
        "guard-replies-to-who-asked",
        "A kernel does not choose the client that its reply goes to.",
        GUARD,
        "            sealed = self._reader.seal(read, identities=request.identities)\n        except",
        "            sealed = self._reader.seal(read)\n        except",
        _guard("test_a_reply_goes_to_who_asked"),
    ),
    Mutation(
        "guard-parents",
        "What a kernel says belongs to a message that a client has sent, in the client's words.",
        READING,
        "            parent=parent,\n            metadata",
        "            parent=raw.parent,\n            metadata",
        _belonging("test_a_parent_is_a_client_s_message"),
    ),
    Mutation(
        "guard-questions-allowed",
        "input() asks only where a client has allowed it.",
        GUARD,
        'if read.msg_type != "input_request" or request is None or not request.allow_stdin:',
        'if read.msg_type != "input_request" or request is None:',
        _guard("test_a_question_needs_permission"),
    ),
    Mutation(
        "guard-questions-charged",
        "A cell does not ask without end.",
        GUARD,
        "        if not self.budget.charge(read.raw.size):\n            raise",
        "        if False:\n            raise",
        _guard("test_questions_are_charged"),
    ),
    Mutation(
        "guard-questions-of-the-past",
        "A cell that has ended asks nothing.",
        GUARD,
        "        if request.answered is not None:\n            raise",
        "        if False:\n            raise",
        _belonging("test_a_cell_that_has_ended_asks_nothing"),
    ),
    Mutation(
        "guard-early-idle",
        "A kernel that says too early that it is idle hides nothing from nbclient.",
        PUBLICATION,
        "if request.executes and request.answered is None:\n                request.held_idle",
        "if False:\n                request.held_idle",
        _guard("test_an_early_idle_does_not_end_the_cell"),
    ),
    Mutation(
        "guard-one-idle-each",
        "A message is owed one idle: a flood of them does not end the account of each cell.",
        PUBLICATION,
        "elif request and not request.idled:",
        "elif request:",
        _admission("test_a_message_beside_is_owed_one_idle"),
    ),
    Mutation(
        "guard-message-ids",
        "No message is said twice: a client would refuse it and its successors.",
        READING,
        '{**read.header, "msg_id": f"{self._series}-{self._passed + 1}"}',
        "{**read.header}",
        _guard("test_a_message_that_is_said_twice_is_two_messages"),
    ),
    Mutation(
        "guard-addresses",
        "A message has as many routing parts as clients have, and no longer ones.",
        READING,
        "if len(raw.identities) > MAX_IDENTITIES or any(len(part) > 255 for part in raw.identities):",
        "if False:",
        _guard("test_a_strange_address_is_no_address"),
    ),
    Mutation(
        "guard-heartbeats",
        "A heartbeat is the echo of what a client has sent, to the byte.",
        HEARTBEAT,
        "if len(message.parts) <= MAX_BEAT_PARTS and parts in self._under_way:",
        "if True:",
        _guard("test_heartbeats_answer_pings_only"),
    ),
    Mutation(
        "guard-violations",
        "A kernel that sends nothing but nonsense is ended.",
        GUARD,
        "        if self.refused > MAX_REFUSED:\n            many",
        "        if False:\n            many",
        _guard("test_breaking_the_rules_without_end_is_an_end"),
    ),
    Mutation(
        "guard-delimiter",
        "A message has all its parts.",
        JUPYTER,
        "        if len(parts) < at + 6:\n            raise",
        "        if False:\n            raise",
        _guard("test_junk_from_the_guest_is_dropped", "test_junk_from_a_client_is_dropped"),
    ),
    Mutation(
        "guard-ledger-is-bounded",
        "Requests that are never answered do not pile up.",
        LEDGER,
        "        if len(self._others) > MAX_OPEN:\n",
        "        if False:\n",
        _guard("test_the_ledger_holds_so_many"),
    ),
    Mutation(
        "guard-past-is-bounded",
        "Nor do those that were.",
        LEDGER,
        "        while self._past_size > MAX_PAST:\n",
        "        while False:\n",
        _guard("test_headers_of_the_past_are_held_up_to_a_size"),
    ),
    Mutation(
        "guard-reply-too-large",
        "A client does not wait for a reply that was thrown away.",
        GUARD,
        "            yield from self._reply_too_large(request, message.size)\n",
        "            pass\n",
        _guard("test_a_reply_too_large_to_hold_still_ends_the_cell"),
    ),
)

BUDGETS = (
    Mutation(
        "budget-output",
        "A cell sends what the policy allows, then one notice, then nothing.",
        BUDGET,
        "if self.shown + cost > policy.output:",
        "if False:",
        _guard("test_output_ends_at_the_budget_with_one_notice", "test_a_flood_of_tiny_messages_is_bounded"),
    ),
    Mutation(
        "budget-one-end",
        "The end of a cell's output is one end, without holes.",
        BUDGET,
        "self._closed = self._closed or self._over(cost)",
        "self._closed = self._over(cost)",
        _guard("test_after_the_budget_even_small_messages_are_silent"),
    ),
    Mutation(
        "budget-overhead",
        "A million empty messages are not free.",
        BUDGET,
        "cost = size + overhead",
        "cost = size",
        _accounts("test_an_empty_message_is_not_free"),
    ),
    Mutation(
        "budget-one-notice",
        "There is one notice, not one for each message.",
        BUDGET,
        "        self._told.add(what)\n",
        "",
        _guard("test_output_ends_at_the_budget_with_one_notice"),
    ),
    Mutation(
        "budget-rate",
        "A flood that stays below its budget is no faster than the policy allows.",
        BUDGET,
        "if policy.output_rate is not None and self._refilled(policy.output_rate) < cost:",
        "if False:",
        _accounts("test_the_rate_is_kept_over_all_cells"),
    ),
    Mutation(
        "budget-rate-over-cells",
        "Nor by being cut into many cells.",
        BUDGET,
        "        self._told.clear()\n",
        "        self._told.clear()\n        self.__post_init__()\n",
        _accounts("test_the_rate_is_kept_over_all_cells"),
    ),
    Mutation(
        "budget-outputs",
        "A cell has so many outputs: each is an element of the page.",
        BUDGET,
        "if self._outputs > self.policy.outputs:",
        "if False:",
        _accounts("test_outputs_are_counted_as_a_notebook_holds_them"),
    ),
    Mutation(
        "budget-unread",
        "What a client does not read does not pile up in this process.",
        BUDGET,
        "if self.unread + cost > policy.output + UNREAD:",
        "if False:",
        _accounts("test_what_clients_leave_unread_is_bounded"),
    ),
    Mutation(
        "budget-message",
        "One output is no larger than the policy allows.",
        PUBLICATION,
        "elif read.raw.size > self._policy.message:",
        "elif False:",
        _accounts("test_a_message_over_the_size_for_messages_is_left_out"),
    ),
    Mutation(
        "budget-replies",
        "A reply that is large is charged as any output.",
        GUARD,
        "if size > MAX_REPLY or (size > FREE_REPLY and not self.budget.charge(size)):",
        "if size > MAX_REPLY:",
        _accounts("test_replies_have_a_size"),
    ),
    Mutation(
        "budget-containers",
        "An output's many small lists are charged what a client needs to hold them.",
        "sandbox_kernel/host/budget.py",
        "        if self.shown + self.held + cost > policy.output:\n",
        "        if False:\n",
        _accounts(
            "test_what_takes_a_client_much_to_hold_is_charged[60]",
            "test_what_takes_a_client_much_to_hold_is_charged[5000]",
        ),
    ),
    Mutation(
        "budget-status",
        "A status is one word; what is larger is none.",
        PUBLICATION,
        "if read.raw.buffers or len(read.raw.metadata) + len(read.raw.content) > MAX_STATUS:",
        "if False:",
        _guard("test_a_large_status_is_none", "test_early_idles_of_many_cells_are_small"),
    ),
    Mutation(
        "budget-oversized",
        "What was never held is told to the cell that sent it.",
        GUARD,
        "            yield from self._publication.too_large(message.size)\n",
        "",
        _guard("test_a_message_too_large_to_hold_is_named"),
    ),
    Mutation(
        "budget-unread-is-counted",
        "What waits for a client is counted, and what it has taken is not.",
        f"{_HOST}/unread.py",
        "return self._sent - self._taken",
        "return 0",
        within("host/test_unread.py", "test_it_counts_what_the_slowest_has_not_read"),
    ),
)

CONTENTS = (
    Mutation(
        "parts-header-size",
        "A header of a megabyte is not even read.",
        PARTS,
        "if limit is not None and len(part) > limit:",
        "if False:",
        _guard("test_a_header_of_a_megabyte_is_refused"),
    ),
    Mutation(
        "parts-endless-string",
        "A string without an end is not searched from each of its quotes.",
        PARTS,
        r'(?:"|\\?\Z)',
        '"',
        _parts("test_a_string_without_an_end_is_looked_at_once"),
    ),
    Mutation(
        "guard-unreadable-reply",
        "A client does not wait for a reply that could not be read.",
        GUARD,
        'yield from self._endings.answer(request, "UnusableReply"',
        'yield from () and self._endings.answer(request, "UnusableReply"',
        _guard("test_a_reply_that_cannot_be_read_is_answered_all_the_same"),
    ),
    Mutation(
        "parts-depth",
        "No JSON is nested deeper than clients can read it.",
        PARTS,
        "        if depth > MAX_DEPTH:\n",
        "        if False:\n",
        _parts("test_wide_json_is_not_deep"),
    ),
    Mutation(
        "parts-values",
        "Few bytes that become gigabytes are dropped before a parser meets them.",
        PARTS,
        'if containers > MAX_CONTAINERS or bare.count(b",") > MAX_VALUES:',
        "if False:",
        _guard("test_json_that_swells_when_read_is_not_read"),
    ),
    Mutation(
        "parts-objects",
        "A part that is no object is none.",
        PARTS,
        "    if not isinstance(value, dict):\n        raise",
        "    if False:\n        raise",
        _guard("test_broken_json_is_dropped[content-no object]"),
    ),
    Mutation(
        "parts-surrogates",
        "A notebook with half a character in it can be saved.",
        PARTS,
        "    return _scrubbed(value)\n\n\ndef _finite",
        "    return value\n\n\ndef _finite",
        _parts("test_lone_surrogates_are_replaced"),
    ),
    Mutation(
        "parts-time-of-numbers",
        "No number holds up the process while it is read.",
        PARTS,
        "Decoder(float_hook=_real)",
        "Decoder()",
        _parts("test_no_number_takes_long[8e307]"),
    ),
    Mutation(
        "parts-numbers",
        "NaN and infinities do not reach a strict reader.",
        PARTS,
        ", parse_constant=lambda _: None, parse_float=_finite)",
        ")",
        _parts("test_numbers_that_are_no_json_become_null"),
    ),
    Mutation(
        "hygiene-header-fields",
        "A header has the protocol's fields, and what looks like a date is one.",
        HYGIENE,
        "    return clean\n\n\ndef _word",
        "    return {**header, **clean}\n\n\ndef _word",
        _guard("test_any_header_can_be_read_by_a_client"),
    ),
    Mutation(
        "hygiene-dates",
        "jupyter_client does not stumble over a date that is none.",
        HYGIENE,
        "date if _is_date(date) else datetime.now(UTC).isoformat()",
        "date",
        _guard("test_any_header_can_be_read_by_a_client"),
    ),
    Mutation(
        "hygiene-words-are-no-dates",
        "Nor over a name that looks like one.",
        HYGIENE,
        "isinstance(value, str) and len(value) <= 255 and not _DATE.match(value)",
        "isinstance(value, str) and len(value) <= 255",
        _guard("test_any_header_can_be_read_by_a_client"),
    ),
    Mutation(
        "hygiene-mime-types",
        "A MIME type is as long as one can be.",
        HYGIENE,
        "    return len(name) <= 255\n",
        "    return True\n",
        _hygiene("test_any_bundle_becomes_an_output_that_nbformat_accepts"),
    ),
    Mutation(
        "hygiene-types",
        "An output has as many of them as can be looked at.",
        HYGIENE,
        "islice(data.items(), MAX_TYPES)",
        "data.items()",
        _hygiene("test_an_output_has_so_many_types"),
    ),
    Mutation(
        "hygiene-brevity",
        "What is no text is not made a long one.",
        HYGIENE,
        "    if isinstance(value, list | dict):\n",
        "    if False:\n",
        _hygiene("test_what_is_no_text_is_not_spelt_out[object]"),
    ),
    Mutation(
        "hygiene-bundles",
        "A MIME bundle is one that nbformat accepts.",
        HYGIENE,
        'data = data if isinstance(data, dict) else {"text/plain": _text(data)}',
        "data = data or {}",
        _hygiene("test_any_bundle_becomes_an_output_that_nbformat_accepts"),
    ),
    Mutation(
        "hygiene-json-types",
        "An object is the data of JSON's types alone.",
        HYGIENE,
        "    if _JSON_MIME.fullmatch(mime):\n",
        "    if True:\n",
        _hygiene("test_objects_are_for_json_types_only"),
    ),
    Mutation(
        "hygiene-execution-counts",
        "An execution count is one that a notebook can hold.",
        HYGIENE,
        "return value if whole and 0 <= value < 1 << 53 else None",
        "return value",
        _hygiene("test_strange_execution_counts_become_none"),
    ),
    Mutation(
        "hygiene-errors",
        "An error is made of text.",
        HYGIENE,
        '"traceback": [line for line in lines if isinstance(line, str)],',
        '"traceback": traceback,',
        _hygiene("test_errors_are_made_of_text"),
    ),
    Mutation(
        "hygiene-reply-status",
        "A reply of a strange status is an error, never ok.",
        HYGIENE,
        'if clean.get("status") not in ("ok", "error", "aborted", "abort"):',
        "if False:",
        _hygiene("test_a_strange_reply_is_an_error"),
    ),
    Mutation(
        "hygiene-comm-ids",
        "A comm message has the id of its comm.",
        HYGIENE,
        '    if not isinstance(content.get("comm_id"), str):\n',
        "    if False:\n",
        _hygiene("test_comm_messages_need_their_id"),
    ),
    Mutation(
        "hygiene-widgets",
        "A widget has the fields that nbclient indexes without looking.",
        HYGIENE,
        'if clean.get("target_name") == "jupyter.widget" and "state" not in clean["data"]:',
        "if False:",
        _hygiene("test_widgets_that_clients_cannot_hold_are_refused"),
    ),
    Mutation(
        "hygiene-file-extension",
        "A kernel does not choose where nbconvert writes.",
        HYGIENE,
        'if not _FILE_EXTENSION.fullmatch(_text(language.get("file_extension", ".py"))):',
        "if False:",
        _guard("test_what_a_kernel_says_of_itself_is_made_safe"),
    ),
)

LOST = (
    Mutation(
        "guard-lost-reply",
        "A cell whose reply was lost does not stay open for ever, with its deadline running.",
        "sandbox_kernel/host/guard.py",
        "        yield from self._answer_for_what_was_passed_over(request)\n",
        "",
        _guard(
            "test_a_cell_whose_reply_was_lost_ends_with_the_next[silent]",
            "test_a_cell_whose_reply_was_lost_ends_with_the_next[idle]",
            "test_a_lost_reply_of_a_cell_that_is_overdue",
        ),
    ),
    Mutation(
        "guard-lost-idle",
        "Nor does one whose idle was.",
        ENDINGS,
        "            for earlier in self._ledger.before(request):  # answered",
        "            for earlier in ():  # answered",
        _guard("test_a_cell_whose_reply_was_lost_ends_with_the_next[silent]"),
    ),
)

SECTIONS = (
    ("The guard: who may say what", RULES),
    ("The guard: what is lost", LOST),
    ("The guard: budgets", BUDGETS),
    ("The guard: what clients can hold", CONTENTS),
)
