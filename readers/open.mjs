// Opens hardtack's cookies, wire format 1, with Node alone. `node open.mjs FILE` holds it against the vectors in FILE.
import { isUtf8 } from "node:buffer";
import { createCipheriv, createDecipheriv, hkdfSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
const need = (lawful, reason) => { if (!lawful) throw reason; };
function decrypt({ key, cookie_name, realm, value }) {
  const raw = Buffer.from(value, "base64url"), keyId = raw.subarray(1, 5), nonce = raw.subarray(5, 29);
  need(raw.length && value.length <= 4094 && raw.toString("base64url") === value, "malformed");
  need(raw[0] === 1, "unknown_version"); need(raw.length > 45 && (raw.length - 45) % 32 === 0, "malformed");
  const derive = (label, n) => Buffer.from(hkdfSync("sha256", Buffer.from(key.slice(5), "base64url"), "", label, n));
  need(keyId.equals(derive("hardtack 1 key id", 4)), "unknown_key");
  const aes = createCipheriv("aes-256-ecb", derive("hardtack 1 envelope", 32), null);
  const l = BigInt("0x" + aes.update(Buffer.alloc(16), null, "hex"));
  const k1 = BigInt.asUintN(128, l << 1n) ^ ((l >> 127n) * 0x87n);
  const m = (start) => (BigInt("0x" + start + nonce.toString("hex", 0, 12)) ^ k1).toString(16).padStart(32, "0");
  const gcm = createDecipheriv("aes-256-gcm", aes.update(m("00015800") + m("00025800"), "hex"), nonce.subarray(12));
  const aad = [Buffer.of(1), keyId, ...[realm, "session", cookie_name].map((text) => Buffer.from(text))];
  gcm.setAuthTag(raw.subarray(-16)).setAAD(Buffer.concat(aad.flatMap((p) => [Buffer.of(p.length >> 8, p.length), p])));
  try { return Buffer.concat([gcm.update(raw.subarray(29, -16)), gcm.final()]); } catch { throw "forged"; }
}
export function open(cookie, plain = decrypt(cookie), at = 104) {
  try {
    need(plain[0] > 0 && plain[0] < 5 && plain[1] < 2 && plain.readUInt16BE(at) <= (plain[0] % 2 ? 0 : 512));
    const part = (n, length = plain.readUIntBE(at, n)) => plain.subarray((at += n + length) - length, at);
    const owner = part(2), renewed = at, label = plain[0] === 4 ? ((at += 6), part(1)) : Buffer.of();
    const fields = Array.from(Array(plain.readUInt16BE((at += 2) - 2)), () => [part(1), part(4)]);
    need(at <= plain.length && isUtf8(owner) && isUtf8(label) && plain.subarray(2, 34).some((byte) => byte !== 0));
    const header = { kind: plain[0], remembered: plain[1] > 0, generation: plain.readUInt32BE(50), owner: `${owner}` };
    const u48 = { created: 62, authenticated: 68, last_seen: 80, idle_deadline: 86, absolute_deadline: 92, epoch: 54 };
    if (plain[0] === 4) Object.assign(u48, { confirmed: 74, version: 98, renewed }), (header.label = `${label}`);
    for (const [name, offset] of Object.entries(u48)) header[name] = plain.readUIntBE(offset, 6);
    Object.assign(header, { id: plain.toString("base64url", 2, 34), handle: plain.toString("base64url", 34, 50) });
    return { header, fields: fields.filter((f) => isUtf8(f[0]) && isUtf8(f[1])).map((f) => f.map(String)) };
  } catch { throw "invalid"; }
}
const { key, open: lawful, refuse } = JSON.parse(readFileSync(process.argv[2], "utf8"));
for (const { name, cookie: cookie_name, realm, value, reason, header, fields } of [...lawful, ...refuse]) {
  let seen; try { seen = open({ key, cookie_name, realm, value }); } catch (why) { seen = why; }
  if (!isDeepStrictEqual(seen, reason ?? { header, fields })) throw Error(`${name}: ${JSON.stringify(seen)}`);
}
