"""From typed values to text and figures, one module for each part of the report."""
