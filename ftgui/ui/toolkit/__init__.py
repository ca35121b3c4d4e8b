"""Theme, icons, form fields and background tasks: nothing here knows what ftgui is for."""
