"""Engines, pools and lenders: where connections come from and go back to."""
