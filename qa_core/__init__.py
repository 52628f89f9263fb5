"""The core library of Écoute: facts, rules and rights of a contact centre's quality
dashboard.
"""

import os

# Our matrices are small: NumPy's threads take longer to meet than to multiply.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Others keep what was freed.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
