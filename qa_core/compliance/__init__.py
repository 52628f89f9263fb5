"""What the law asks for before anybody listens (docs/compliance.md, R1–R4, R7): the
gates, who is accredited, which advisors were informed.
"""
