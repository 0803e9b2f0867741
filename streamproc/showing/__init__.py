"""`streamproc normality show`: what a camera's calibration holds, as a picture and in words."""
