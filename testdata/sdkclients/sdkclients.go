// Package sdkclients has tests of Delegator.FromContext with clients of the AWS SDK that keep
// something of credentials by themselves. It is a module of its own, because the library does not
// need these clients.
package sdkclients
