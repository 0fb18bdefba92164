"""What a service's users feel: one application on several ORMs, under the load of up to 128 clients."""
