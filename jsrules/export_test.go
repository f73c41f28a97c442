package jsrules

// Exchanges counts those that a Set remembers.
func Exchanges(s *Set) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.exchanges)
}
