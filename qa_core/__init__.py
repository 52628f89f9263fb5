"""The core library of Écoute: facts, rules and rights of a contact centre's quality
dashboard.
"""
