"""Promise: the network ends at a loopback interface of its own."""

import contextlib
import fcntl
import os
import select
import signal
import socket
import struct
import subprocess
import sys

from tests.adversarial.attack import OWN_KERNEL, attack, libc

CUT = "ENETUNREACH EHOSTUNREACH ENETDOWN EADDRNOTAVAIL ECONNREFUSED EPERM EACCES EAFNOSUPPORT EINVAL"
PATIENCE = 20  # seconds; what is cut off is refused at once, so this is only reached by a hang


def connected(bait, name):
    """Connect, say so."""
    host, port = bait.servers[name]
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as client:
        client.settimeout(PATIENCE)
        client.connect((host, port))
        return f"connected to {host}"


def answered(bait, name, message=b"hello"):
    """Send a datagram, wait for what comes back, say so."""
    host, port = bait.servers[name]
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE)
        client.connect((host, port))  # or a refusal would not be told
        client.send(message)
        return f"{host} answered" if client.recv(1000) else None


def query(name):
    """Return a question for the address of a name."""
    labels = b"".join(bytes([len(part)]) + part for part in name.encode().split(b"."))
    return struct.pack(">HHHHHH", 1, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", 1, 1)


@attack("network", "N1", refused=CUT)
def connect_to_the_internet(bait):
    """Connect to an address outside."""
    return connected(bait, "internet")


@attack("network", "N1 N9", refused=CUT)
def connect_over_ipv6(bait):
    """Connect to an IPv6 address outside."""
    return connected(bait, "internet6")


@attack("network", "N9", refused=CUT)
def send_a_datagram(bait):
    """Send a datagram outside (as QUIC does), and hear the answer."""
    return answered(bait, "datagrams")


@attack("network", "N9", refused=CUT)
def send_a_datagram_over_ipv6(bait):
    """Send a datagram to an IPv6 address."""
    return answered(bait, "datagrams6")


@attack("network", "N1", refused=CUT + " EOPNOTSUPP EPIPE")
def send_data_with_the_connection(bait):
    """Send data in the first packet of a connection (TCP fast open), without connect()."""
    with socket.socket() as client:
        client.sendto(b"hello", 0x20000000, tuple(bait.servers["internet"]))  # MSG_FASTOPEN
        return "sent"


@attack("network", "N3", refused=CUT)
def ask_for_the_cloud_s_credentials(bait):
    """Connect to the address at which clouds give credentials to machines."""
    return connected(bait, "metadata")


@attack("network", "N3", refused=CUT)
def ask_for_them_over_ipv6(bait):
    """Connect to the same service's IPv6 address."""
    return connected(bait, "metadata6")


@attack("network", "N4", refused=CUT)
def connect_to_the_gateway(bait):
    """Connect to the host by the address that it has on Docker's bridge."""
    return connected(bait, "gateway")


@attack("network", "N4", refused=CUT)
def connect_to_the_neighbourhood(bait):
    """Connect to another machine of the local network."""
    return connected(bait, "neighbour")


@attack("network", "N4", refused=CUT)
def connect_to_the_host(bait):
    """Connect to a server on the host by the host's own address."""
    return connected(bait, "host")


@attack("network", "N4", refused=CUT)
def connect_to_the_host_s_loopback(bait):
    """Connect to a server that listens on the host's 127.0.0.1 only: Jupyter's, say."""
    return connected(bait, "loopback")


@attack("network", "N4", refused=CUT)
def connect_to_the_host_s_ipv6_loopback(bait):
    """Connect to a server on the host's ::1."""
    return connected(bait, "loopback6")


@attack("network", "N4", refused=CUT)
def connect_to_any_address(bait):
    """Connect to 0.0.0.0, which is this machine, past filters for 127.0.0.1."""
    with socket.socket() as client:
        client.connect(("0.0.0.0", bait.servers["loopback"][1]))
        return "connected"


@attack("network", "N4", refused=CUT)
def ask_the_host_s_loopback_by_datagram(bait):
    """Ask a datagram server of the host."""
    return answered(bait, "loopback-datagrams")


@attack("network", "N2", nothing=True)
def resolve_a_name(bait):
    """Resolve a name: the question carries data outside, whatever the answer."""
    with contextlib.suppress(socket.gaierror):
        return f"is {socket.gethostbyname('sandbox-kernel.example.com')}"
    return None


@attack("network", "N2", refused=CUT)
def ask_a_name_server(bait):
    """Ask a name server outside, by its address."""
    return answered(bait, "names", query("secret.example.com"))


@attack("network", "N2", nothing=True, refused="ENOENT EACCES " + CUT)
def ask_the_host_s_name_server(bait):
    """Ask the name servers of /etc/resolv.conf: one on the loopback is the host's resolver."""
    with open("/etc/resolv.conf", encoding="ascii") as file:
        servers = [line.split()[1] for line in file if line.startswith("nameserver")]
    for server in servers:
        bait.servers["resolver"] = (server, 53)
        with contextlib.suppress(ConnectionRefusedError):
            return answered(bait, "resolver", query("secret.example.com"))
    return None


@attack("network", "N8", refused="ECONNREFUSED EACCES EPERM")
def connect_to_an_abstract_socket(bait):
    """Connect to an abstract socket of the host, such as containerd's shims had (CVE-2020-15257)."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(f"\0{bait.abstract}")
        return "connected"


@attack("network", "N8", refused="ECONNREFUSED EACCES EPERM")
def send_to_an_abstract_socket(bait):
    """Send to an abstract datagram socket of the host, such as a notification socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.sendto(b"hello", f"\0{bait.abstract}-datagrams")
        return "sent"


@attack("network", "N8", nothing=True, refused="ENOENT EACCES")
def list_the_host_s_sockets(bait):
    """Read the names of the host's sockets in /proc/net/unix."""
    with open("/proc/net/unix", encoding="utf-8", errors="replace") as file:
        return "listed" if bait.abstract in file.read() else None


@attack("network", "N8", nothing=True, refused="ENOENT EACCES")
def list_the_host_s_connections(bait):
    """Read the host's listening ports in /proc/net/tcp."""
    with open("/proc/net/tcp", encoding="ascii") as file:
        return "listed" if f":{bait.servers['loopback'][1]:04X} " in file.read() else None


@attack("network", "N6", nothing=True, refused=CUT + " EPROTONOSUPPORT")
def list_interfaces(bait):
    """Find an interface that is not the loopback, over netlink."""
    names = [name for _, name in socket.if_nameindex() if name not in {"lo", "tunl0", "sit0", "ip6tnl0"}]
    return f"found {names}" if names else None


@attack("network", "N6", refused=CUT + " ENODEV EOPNOTSUPP ESRCH")
def make_an_interface(bait):
    """Make an interface over netlink: RTM_NEWLINK, of the kind veth."""
    kind = struct.pack("HH", 9, 1) + b"veth\0\0\0\0"
    info = struct.pack("HH", 4 + len(kind), 18) + kind  # IFLA_LINKINFO
    body = struct.pack("BxHiII", 0, 0, 0, 0, 0) + info
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as link:
        link.settimeout(PATIENCE)
        link.sendto(struct.pack("IHHII", 16 + len(body), 16, 0x605, 1, 0) + body, (0, 0))
        error = struct.unpack_from("i", link.recv(4096), 16)[0]
    if error:
        raise OSError(-error, os.strerror(-error))
    return "made"


@attack("network", "N6", refused=CUT)
def give_the_loopback_another_address(bait):
    """Configure the interface: SIOCSIFADDR."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        address = struct.pack("16sHH4s8x", b"lo", socket.AF_INET, 0, socket.inet_aton("127.0.0.1"))
        fcntl.ioctl(control, 0x8916, address)
        return "configured"


@attack("network", "N6", refused=CUT + " ESOCKTNOSUPPORT EPROTONOSUPPORT")
def make_raw_packets(bait):
    """Open a raw socket, with which any packet can be forged."""
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()
    return "opened"


@attack("network", "N6", refused=CUT + " ESOCKTNOSUPPORT EPROTONOSUPPORT")
def make_raw_ipv6_packets(bait):
    """Open a raw IPv6 socket."""
    socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6).close()
    return "opened"


@attack("network", "N6", refused=CUT + " ESOCKTNOSUPPORT EPROTONOSUPPORT")
def listen_to_all_packets(bait):
    """Open a packet socket, which sees what all others send."""
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)).close()
    return "opened"


@attack("network", "N6", refused=CUT + " ENOPROTOOPT", gvisor=OWN_KERNEL)
def answer_for_others(bait):
    """Send in the name of addresses that are not its own (IP_TRANSPARENT)."""
    with socket.socket() as one:
        one.setsockopt(socket.IPPROTO_IP, 19, 1)
        return "may"


@attack("network", "N6", refused=CUT + " ENOPROTOOPT", gvisor=OWN_KERNEL)
def mark_packets(bait):
    """Mark packets, so that the host's routes and filters treat them as others (SO_MARK)."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, 36, 1)
        return "marked"


@attack("network", "N9", refused=CUT + " ENODEV")
def reach_a_group(bait):
    """Send to a multicast group, as discovery protocols do."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendto(b"hello", ("239.255.255.250", 1900))
        return "sent"


@attack("network", "N9", refused=CUT)
def broadcast(bait):
    """Send to everybody."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        one.sendto(b"hello", ("255.255.255.255", 9))
        return "sent"


@attack("network", "N9", nothing=True)
def use_another_program(bait):
    """Reach outside with Python's own downloader, and a proxy of the environment."""
    host, port = bait.servers["internet"]
    code = f"import urllib.request as u; u.urlopen('http://{host}:{port}/', timeout={PATIENCE})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    unreachable = "Errno 101" in done.stderr or "Errno 113" in done.stderr
    return None if unreachable else f"reached it: {done.stderr[-200:]}"


# The world that an unguarded process sees: a network of its own with all these addresses in it.


def become_the_world(addresses):
    """Have the addresses, and answer at each; needs a network namespace of one's own."""
    subprocess.run(
        ["ip", "link", "add", "name", "outside", "type", "veth", "peer", "name", "far"], check=True
    )
    for interface in ("lo", "outside", "far"):
        subprocess.run(["ip", "link", "set", interface, "up"], check=True)
    hosts = {host for host, _ in addresses["tcp"] + addresses["udp"]}
    for address in hosts - {"127.0.0.1", "::1"}:
        version = "-6" if ":" in address else "-4"
        more = ["nodad"] if ":" in address else []
        subprocess.run(["ip", version, "addr", "add", address, "dev", "outside", *more], check=True)
    subprocess.run(["ip", "route", "add", "default", "dev", "outside"], check=True)
    streams = [(_bound(where, socket.SOCK_STREAM), None) for where in addresses["tcp"]]
    datagrams = [(_bound(where, socket.SOCK_DGRAM), _answer) for where in addresses["udp"]]
    for kind, name in ((socket.SOCK_STREAM, ""), (socket.SOCK_DGRAM, "-datagrams")):
        one = socket.socket(socket.AF_UNIX, kind)
        one.bind(f"\0{addresses['abstract']}{name}")
        streams.append((one, None))
    for one, _ in streams:
        with contextlib.suppress(OSError):  # a datagram socket
            one.listen(64)
    if os.fork() == 0:
        libc.prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG: it ends with the attacks
        _serve([one for one, _ in streams if one.type == socket.SOCK_STREAM], [one for one, _ in datagrams])


def _bound(where, kind):
    one = socket.socket(socket.AF_INET6 if ":" in where[0] else socket.AF_INET, kind)
    one.bind(tuple(where))
    return one


def _serve(streams, datagrams):
    while True:
        for one in select.select([*streams, *datagrams], [], [])[0]:
            if one in streams:
                client = one.accept()[0]
                client.settimeout(PATIENCE)
                with contextlib.suppress(OSError):
                    client.send(b"HTTP/1.0 200 OK\r\n\r\n")
                client.close()
            else:
                asked, who = one.recvfrom(4096)
                one.sendto(_answer(asked), who)


def _answer(asked):
    """Answer a question for an address as a name server does; any other with itself."""
    if len(asked) < 20:
        return asked
    return asked[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + asked[12:] + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1"
