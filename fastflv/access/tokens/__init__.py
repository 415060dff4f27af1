"""JSON Web Tokens: their keys, their claims, and what is remembered of them. Spec: RFC 7515 to RFC 7519."""
