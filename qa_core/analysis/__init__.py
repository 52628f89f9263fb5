"""What figures mean: trends, comparisons, targets, alerts, irritants, and the charts
and files made from them.
"""
