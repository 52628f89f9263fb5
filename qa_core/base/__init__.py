"""What every room needs: errors, translation, the environment, masking of personal
data.
"""
