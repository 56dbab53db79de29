"""jupyter_kernel_test, told what an IPython kernel answers. Run by test_peers.py, never directly."""

import jupyter_kernel_test


class IPythonTests(jupyter_kernel_test.KernelTests):
    kernel_name = "python3"
    language_name = "python"
    file_extension = ".py"
    code_hello_world = "print('hello, world')"
    code_stderr = "import sys; print('oops', file=sys.stderr)"
    completion_samples = [
        {"text": "import zipi", "matches": {"zipimport"}},
        {"text": "isinst", "matches": {"isinstance"}},
    ]
    complete_code_samples = ["1", "print('x')", "def f(x):\n  return x\n\n\n"]
    incomplete_code_samples = ["print('''hello", "def f(x):\n  x *= 2"]
    invalid_code_samples = ["import = 7q"]
    code_page_something = "zip?"
    code_generate_error = "1 / 0"
    code_execute_result = [
        {"code": "6*7", "result": "42"},
        {"code": "'be' + 'fore'", "result": "'before'"},
        {"code": "print('told on the way'); 1.5", "result": "1.5"},
    ]
    code_display_data = [
        {"code": "from IPython.display import HTML, display; display(HTML('<b>x</b>'))", "mime": "text/html"},
        {"code": "from IPython.display import Math, display; display(Math('x^2'))", "mime": "text/latex"},
        {
            "code": "from IPython.display import JSON, display; display(JSON({'a': 1}))",
            "mime": "application/json",
        },
    ]
    supported_history_operations = ("tail", "search")  # "range" numbers this session 0, "tail" 1: IPython
    code_history_pattern = "6?7*"
    code_inspect_sample = "zip"
    code_clear_output = "from IPython.display import clear_output; clear_output()"


class IPythonWelcomeTests(jupyter_kernel_test.IopubWelcomeTests):
    kernel_name = "python3"
    support_iopub_welcome = True
