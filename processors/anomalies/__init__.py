"""What is unlike anything the last weeks have shown, without anybody having set a bound."""
