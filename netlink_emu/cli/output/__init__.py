"""What commands say beside their results: errors, remarks, progress; and how output fails."""
