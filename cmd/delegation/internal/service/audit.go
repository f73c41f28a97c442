package service

import (
	"fmt"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/audit"
)

// openAudit checks whether records can be written to a sink; nil: there is none.
func openAudit(sink audit.Sink) error {
	if sink == nil {
		return nil
	}
	if err := sink.Open(); err != nil {
		return fmt.Errorf("audit.file: records cannot be written: %w", err)
	}
	return nil
}
