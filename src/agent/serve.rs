//! Serves requests from one controller until it says goodbye.
