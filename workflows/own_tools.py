"""The names of the tools that a run answers itself; how it does, it doesn't know."""

BUILTIN = "doorbell"
"""The server name of the tools that the run itself answers."""

WAIT = "doorbell__wait"
"""The alias of the tool by which the model parks its run."""

ASK = "doorbell__ask"
"""The alias of the tool by which the model asks a person."""

EVENT = "doorbell__event"
"""The alias of the tool by which the model reads more of an event it has heard."""

SLEEP = "doorbell__sleep_until"
"""The alias of the tool by which the model parks its run for a time."""

FINISH = "doorbell__finish"
"""The alias of the tool by which the model ends its conversation with a word on how it went."""

RESOURCE = "doorbell__read_resource"
"""The alias of the tool by which the model reads what `read:` allows; offered only where it allows something."""

BUILT_INS = (WAIT, SLEEP, ASK, EVENT, FINISH)
"""The tools that are offered beside those of servers; each counts among a playbook's forty."""
