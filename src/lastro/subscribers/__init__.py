"""Who wants to be told of the news, what they were told, and the news for those who come and ask."""
