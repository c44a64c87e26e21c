"""What can never happen, and what another bundle would judge otherwise: the gate as formulas for an SMT solver.

Everything here needs z3, which comes with `pip install 'steadyhand[prove]'`.
"""
