"""What follows `--` on the command line of `sandbox-kernel run`: the arguments of a script."""

from collections.abc import Sequence

import click


class RunCommand(click.Command):
    """Remembers how many words follow `--`, which are arguments to click like all others."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse as always."""
        ctx.meta[__name__] = self._behind_the_dashes(ctx, args)
        return super().parse_args(ctx, args)

    def _behind_the_dashes(self, ctx: click.Context, args: Sequence[str]) -> int:
        places = [place for place, word in enumerate(args) if word == "--"]
        return next((len(args) - 1 - place for place in places if self._is_whole(ctx, args[:place])), 0)

    def _is_whole(self, ctx: click.Context, args: Sequence[str]) -> bool:
        """Tell whether `--` may follow: the last option before it has its values, or it is one of them."""
        try:
            self.make_parser(ctx).parse_args(list(args))
        except click.UsageError:
            return False
        return True


def divided(ctx: click.Context, words: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """Return what stands before `--`, and the arguments behind it.

    Where nothing stands before it, there is no script: `--` says that the names behind it are no options.
    """
    count = ctx.meta[__name__]
    before = len(words) - count
    return (list(words), ()) if before <= 0 else (list(words[:before]), tuple(words[before:]))
