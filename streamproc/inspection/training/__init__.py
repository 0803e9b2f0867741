"""Teaching an expert what a defect is: pictures, drawn defects, readers of labelled folders, training."""
