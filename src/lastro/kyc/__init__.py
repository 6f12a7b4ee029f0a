"""Know your customer: the documents of who holds an account, their review, and what an approval sets in motion."""
