"""Why a network sees what it sees."""
