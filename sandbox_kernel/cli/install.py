"""`sandbox-kernel install`: a kernelspec with a policy of its own."""

import click

from sandbox_kernel.cli import policy_options
from sandbox_kernel.cli.imports import for_notebooks

HELP = """
Install a kernel whose sandbox has the policy given here, for JupyterLab's launcher and every other
program that picks kernels by name.

\b
Examples:
  sandbox-kernel install --name big --display-name "Python (8 GiB)" --memory 8g --cpus 4
  sandbox-kernel install --name exam --profile strict --cell-timeout 10 --sys-prefix

The policy is checked first and written into the kernelspec; what is not given stays with the
profile. What this machine lacks for it, an image say, is named. `jupyter kernelspec uninstall NAME`
removes the kernel.
"""


@click.command("install", help=HELP, short_help="Install a kernel with a policy of its own.")
@click.option("--name", help="What programs call the kernel.  [default: sandboxed-python]")
@click.option("--display-name", help='What people see.  [default: "Sandboxed Python", and the name]')
@click.option("--user", "where", flag_value="user", help="For this user only (the default).")
@click.option("--sys-prefix", "where", flag_value="sys-prefix", help="Into this Python environment.")
@click.option("--prefix", metavar="DIR", help="Into DIR/share/jupyter/kernels.")
@click.option("--replace", is_flag=True, help="Replace a kernel of this name.")
@policy_options.policy_options
@click.pass_context
def command(
    ctx: click.Context,
    *,
    name: str | None,
    display_name: str | None,
    where: str | None,
    prefix: str | None,
    replace: bool,
) -> int:
    """Write the kernelspec."""
    with for_notebooks():
        from sandbox_kernel.cli.installing import install

    if where and prefix:
        raise click.UsageError("Name one place: --user, --sys-prefix or --prefix.")
    install(name, display_name, where, prefix, policy_options.given(ctx), replace=replace)
    return 0
