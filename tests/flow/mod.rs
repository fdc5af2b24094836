//! Whole stories: from a saved row to a secondary datastore, through crashes.
