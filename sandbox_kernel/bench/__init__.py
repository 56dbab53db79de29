"""What a sandboxed kernel costs, as ratios to a plain one in the same run.

An ordinary Jupyter client, as `notebooks` is: kernels are asked for by name, and nothing of the host
side is imported. How it works:

- A *subject* is a way to run a kernel: plain, behind bubblewrap, in a container. Each has a kernelspec
  in a scratch directory, so every tool finds it by its name.
- Each subject has a process of its own, the *worker*, which holds its kernels as a Jupyter server
  would, and is told over a pipe what to measure. What hangs is killed with its worker, and said.
- Subjects take turns within each round, so that what the machine does meanwhile meets all of them.
- A figure is a median with quartiles, and the median of the ratios of each round; only ratios may be quoted.

`sandbox-kernel bench` shows it; nothing here prints.
"""
