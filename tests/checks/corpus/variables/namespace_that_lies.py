from IPython import get_ipython


class Names(dict):
    def __contains__(self, name):
        return True

    def __getitem__(self, name):
        return 4711

    def get(self, name, default=None):
        return 4711


get_ipython().user_ns = Names(get_ipython().user_ns)
