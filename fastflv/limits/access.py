"""Tokens and signed URLs."""

from __future__ import annotations

from typing import Final

TOKEN_CHARS_MAX: Final = 4096
"Longest token that is parsed, characters: RS256 with many claims has some 800, and PARAM_CHARS_MAX has room for two of these."

TOKEN_LEEWAY_SECONDS: Final = 10.0
"Difference of clocks between signer and server that `exp` and `nbf` may show, seconds: NTP keeps hosts within 0.1, virtual machines that slept are seconds off."

TOKEN_SECRET_BYTES_MIN: Final = 32
"Shortest secret of HS256, bytes (RFC 7518, 3.2: as long as the hash)."

TOKEN_RSA_BITS_MIN: Final = 2048
"Shortest RSA key, bits (RFC 7518, 3.3)."

TOKEN_KEY_FILE_BYTES_MAX: Final = 64 * 1024
"Largest file of one key, bytes: an RSA key of 16,384 bits as PEM has 3 KB, a chain of certificates some 10 KB."

TOKEN_KEYS_MAX: Final = 16
"Keys that one set may have, count, and so signatures that one token may cost. Issuers publish two to four while they rotate."

TOKEN_CACHE_MAX: Final = 16_384
"Verified tokens that a server remembers by hash, count, each some 600 bytes: viewers of one page share a token, and a player comes back with its own. A hit costs 2 us, ES256 some 90."

TOKEN_HEADERS_MAX: Final = 64
"Parsed token headers that a set of keys remembers, count: all tokens of one key have the same header."

TOKEN_ID_CHARS_MAX: Final = 256
"Longest `jti`, characters: a UUID has 36."

TOKEN_NETWORKS_MAX: Final = 16
"Addresses and networks in the claim `ip`, count."

TOKEN_USES_MAX: Final = 1_000_000
"Largest `max`, count: above it a bound bounds nothing."

TOKEN_TIME_MAX: Final = 253_402_300_799
"Largest `exp` and `nbf`, seconds: the end of the year 9999. Milliseconds, a usual mistake, are above it."

SIGNED_TTL_SECONDS_MAX: Final = 31_536_000
"Largest `cdn_ttl`, seconds: a year, as the consoles of the CDNs take it."

JWKS_BYTES_MAX: Final = 256 * 1024
"Largest JWK set that is read, bytes: sixteen RSA keys with their certificates have some 60 KB."

JWKS_SECONDS: Final = 300.0
"How often a JWK set at a URL is fetched again, seconds: issuers publish a key long before they sign with it."

JWKS_RENEW_SECONDS: Final = 10.0
"Least time between two fetches of a set, seconds, whatever tokens ask for: any peer can send a `kid` that nobody knows."

JWKS_TIMEOUT_SECONDS: Final = 5.0
"What one fetch may take, seconds; tokens with an unknown `kid` wait so long."

JWKS_LOOK_SECONDS: Final = 2.0
"How often a JWK set in a file is looked at for changes, seconds: one stat on a thread."

REVOKED_MAX: Final = 100_000
"Revocations that are kept, count, some 200 bytes each: more of them are a key that has to be changed."

TOKEN_USES_SWEEP: Final = 4096
"Counted clients beyond which those that came to nothing are looked for, count; then twice as many as are left. 1 ms."

TOKEN_END_STEP_SECONDS: Final = 1.0
"Least time until the end of a token is looked at again, seconds: a clock that was set back makes it later."

TOKEN_DROPS: Final = 50
"Clients that a revocation disconnects in one turn of the loop, count: 1 to 2 ms."
