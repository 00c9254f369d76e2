"""What each page computes: settings in, one result out. No drawing, no words."""
