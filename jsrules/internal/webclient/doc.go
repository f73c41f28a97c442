// Package webclient sends the HTTP requests of rules. A request goes only to a host that the
// operator has listed, over https, within limits of time, size and number. Redirects must also lead
// to listed hosts. Nothing is kept from one request to the next but idle connections: no cookies
// and no credentials.
//
// # Hosts
//
// An entry of the list is a host name, a name with *. in front for all names below it, or an IP
// address. Without a port it means port 443. The list decides before a name is looked up. The
// address that a name leads to is checked when the connection is made, so that no second look-up
// can change it. An address that is loopback, link-local, multicast, unspecified, or the metadata
// service of a cloud is refused, unless the list also has this address as an entry. Addresses of
// private networks are permitted: the operator has listed their names.
//
// # Proxies
//
// HTTPS_PROXY, HTTP_PROXY and NO_PROXY decide as in all of Go. A proxy looks up the names that it
// gets, so their addresses are not checked here.
//
// # Errors
//
// An [Error] has one of Node's codes, or one of this package. Its text names the host at most.
// Paths, queries, user info, headers and bodies can hold secrets, and are in no error.
package webclient
