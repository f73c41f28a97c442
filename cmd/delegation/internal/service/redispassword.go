package service

import (
	"context"
	"fmt"
	"os"
	"strings"
)

// RedisPassword returns a user and the password for a new connection to Redis.
type RedisPassword = func(context.Context) (username, password string, err error)

// PasswordFile returns the password that is in a file at the time of each connection. A connection
// without a password would be another user's, so an empty file is an error.
func PasswordFile(username, file string) RedisPassword {
	return func(context.Context) (string, string, error) {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", "", fmt.Errorf("redis.password_file: %w", err)
		}
		password := strings.TrimRight(string(text), "\r\n")
		if password == "" {
			return "", "", fmt.Errorf("redis.password_file: %s is empty", file)
		}
		return username, password, nil
	}
}
