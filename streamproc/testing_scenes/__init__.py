"""Test scenes made of real footage: other light, other weather, another camera; and things put into it."""
