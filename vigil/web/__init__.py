"""What protects every part of the web process: limits of size, time and number, and checked text.

- :mod:`vigil.web.server`: connections — slow headers, slow readers, how many at once;
- :mod:`vigil.web.gate`: requests — addresses, bodies, how many at once, websockets;
- :mod:`vigil.web.bodies`: the content of bodies;
- :mod:`vigil.web.refusal`: responses that refuse a request and repeat nothing of what was sent;
- :mod:`vigil.web.problems`: errors of the devices' API (RFC 9457).
"""
