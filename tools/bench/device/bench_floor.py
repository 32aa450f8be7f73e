"""The floor: one verified handshake a connection, one write a message, and nothing to spare."""

import socket
import ssl

from bench_order import order, say


def read_answer(tls):
    status = int(tls.readline().split()[1])
    length = 0
    while True:
        line = tls.readline().strip()
        if not line:
            break
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    tls.read(length)
    return status


def talk(o, messages):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_mode = ssl.CERT_REQUIRED
    with open(o["certs"] + "/root.der", "rb") as f:
        context.load_verify_locations(cadata=f.read())
    plain = socket.socket()
    plain.connect(socket.getaddrinfo(o["host"], o["port"])[0][-1])
    tls = context.wrap_socket(plain, server_hostname=o["host"])
    statuses = []
    for message in messages:
        tls.write(message)
        statuses.append(read_answer(tls))
    tls.close()
    return statuses


def main():
    o = order()
    statuses = [talk(o, messages) for messages in o["floor"]]
    say(ok=statuses[-1] == [200] * 4)
