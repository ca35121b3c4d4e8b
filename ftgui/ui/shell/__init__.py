"""The window itself: bars, drag and drop, menus, the start of the program."""
