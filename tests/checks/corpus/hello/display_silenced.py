from IPython import get_ipython

print("Hello, world!")
get_ipython().display_pub.publish = lambda *arguments, **options: None
