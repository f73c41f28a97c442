package session

// Transport is what tests see of the transport to STS.
var Transport = transport
