"""What the centre itself says about its contacts: who is one person, which spellings
mean the same, when it is open, which numbers are shared.

The facts keep what their source said, so that every convention can be changed or taken
back, and all contacts follow, past and to come.
"""
