"""An answer, run where it can reach nothing.

runner      the sandbox, and the runner behind it; its docstring says what it does not protect against
bubblewrap  the outer wall: namespaces, and which files are seen
zygote      the warm process behind the wall: imports, and forks a child for each exercise
confine     what a child gives up before it runs an answer
seccomp     the system calls that are left to it
limits      how much an answer may use
protocol    what goes in and what comes out
probes      the exercises as the sandbox may see them: no case, judge or expected value
self_test   the sandbox attacked from inside
"""
