from IPython import get_ipython

print("Hello, world!")
publisher = get_ipython().display_pub
publish = type(publisher).publish


def twice(*arguments, **options):
    publish(publisher, *arguments, **options)
    publish(publisher, *arguments, **options)


publisher.publish = twice
