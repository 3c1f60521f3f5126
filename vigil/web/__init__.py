"""What every part of the web process stands behind, whoever asks: bounds of size, time and number,
and text that can be stored.

- :mod:`vigil.web.server`: connections — slow headers, slow readers, how many at once;
- :mod:`vigil.web.gate`: requests — addresses, bodies, how many at once, websockets;
- :mod:`vigil.web.bodies`: what stands in a body;
- :mod:`vigil.web.refusal`: how a refusal is said, repeating nothing of what was sent.
"""
