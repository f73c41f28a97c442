// Package token signs with a key of a PKCS#11 token: a hardware security module, a smart card, or
// SoftHSM. It loads a C library, so it is built only with cgo and the tag pkcs11.
package token
