# Opens hardtack's cookies, wire format 1, with `cryptography`. `python open.py FILE` holds it against FILE's vectors.
import base64, io, json, sys
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
base64url = lambda raw: base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
unbase64url = lambda text: base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
number = lambda raw: int.from_bytes(raw, "big")
utf8 = lambda raw: raw.decode(errors="ignore").encode() == raw
TIMES = dict(created=62, authenticated=68, last_seen=80, idle_deadline=86, absolute_deadline=92, epoch=54)
def need(lawful):
    if not lawful: raise ValueError
def open_cookie(key, cookie_name, realm, value, reason="malformed"):
    try:
        raw = unbase64url(value); need(raw and len(value) <= 4094 and base64url(raw) == value)
        reason = "unknown_version"; need(raw[0] == 1)
        reason = "malformed"; need(len(raw) > 45 and (len(raw) - 45) % 32 == 0)
        derive = lambda label, n: HKDF(SHA256(), n, None, label).derive(unbase64url(key[5:]))
        reason = "unknown_key"; need(raw[1:5] == derive(b"hardtack 1 key id", 4))
        aes = Cipher(algorithms.AES(derive(b"hardtack 1 envelope", 32)), modes.ECB()).encryptor()
        l = number(aes.update(bytes(16))); k1 = (l << 1) % (1 << 128) ^ (l >> 127) * 0x87
        m = lambda n: (number(bytes([0, n, 0x58, 0]) + raw[5:17]) ^ k1).to_bytes(16, "big")
        bound = [b"\1", raw[1:5], *map(str.encode, (realm, "session", cookie_name))]
        aad = b"".join(len(part).to_bytes(2, "big") + part for part in bound)
        reason = "forged"; plain = AESGCM(aes.update(m(1) + m(2))).decrypt(raw[17:29], raw[29:], aad)
        reason = "invalid"; kind, flags, length = plain[0], plain[1], number(plain[104:106])
        need(len(plain) >= 108 and 0 < kind < 5 and flags < 2 and length <= (512, 0)[kind % 2] and any(plain[2:34]))
        def take(n): part = rest.read(n); need(len(part) == n); return part
        rest = io.BytesIO(plain[104:]); sized = lambda n: take(number(take(n)))
        header = dict(kind=kind, remembered=flags == 1, id=base64url(plain[2:34]), handle=base64url(plain[34:50]),
                      generation=number(plain[50:54]), owner=sized(2).decode())
        header |= {name: number(plain[at : at + 6]) for name, at in TIMES.items()}
        if kind == 4: header |= dict(confirmed=number(plain[74:80]), version=number(plain[98:104]),
                                     renewed=number(take(6)), label=sized(1).decode())
        fields = ([sized(1), sized(4)] for _ in range(number(take(2))))
        return dict(header=header, fields=[[*map(bytes.decode, both)] for both in fields if all(map(utf8, both))])
    except Exception: return reason
for v in (file := json.load(open(sys.argv[1], encoding="utf-8")))["open"] + file["refuse"]:
    seen = open_cookie(file["key"], v["cookie"], v["realm"], v["value"])
    if seen != v.get("reason", dict(header=v.get("header"), fields=v.get("fields"))): sys.exit(f"{v['name']}: {seen}")
